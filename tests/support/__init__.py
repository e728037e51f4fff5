"""What tests share: databases, paths, factories."""
