"""Exports: the log, or what filters choose of it, in the forms that auditors' tools read, bound by a manifest."""

from refundflow.export.as_of import export_as_of
from refundflow.export.run import FORMATS, export_log
from refundflow.export.whole_file import whole_file

__all__ = ["FORMATS", "export_as_of", "export_log", "whole_file"]
