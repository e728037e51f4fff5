"""The coded lists of the workflow: product types, usage, reasons, grounds, evidence kinds, roles, channels."""

PRODUCT_TYPES = (
    "game_card", "game_item", "game_topup", "membership", "software_licence",
    "software_account", "virtual_hosting", "phone_topup", "gift_card", "other",
)  # fmt: skip
USAGES = ("unused", "activated", "partly_used", "used", "unknown")
REASONS = (
    "WRONG_FACE_VALUE", "RIGHTS_NOT_AS_DESCRIBED", "WRONG_PRODUCT", "CODE_INVALID", "CODE_ALREADY_USED",
    "CREDITED_WRONG_ACCOUNT", "NOT_DELIVERED", "NOT_PROVISIONED", "CANNOT_LOG_IN", "SERVICE_INTERRUPTED",
    "MINOR_SPENDING", "FRAUD", "DUPLICATE_PAYMENT", "PAYOUT_RETURNED", "NO_LONGER_NEEDED", "OTHER",
)  # fmt: skip
GROUNDS = (
    "OUT_OF_WINDOW", "ALREADY_ACTIVATED", "ALREADY_CONSUMED", "DELIVERY_PROVEN", "EVIDENCE_MISSING",
    "EVIDENCE_INCONSISTENT", "BUYER_INPUT_ERROR", "NOT_COVERED", "ABUSE_SUSPECTED", "CHARGEBACK_OPEN",
    "NO_NEW_GROUND",
)  # fmt: skip
EVIDENCE_KINDS = (
    "activation_record", "login_log", "provisioning_record", "topup_record", "usage_meter",
    "service_monitor_log", "screenshot", "chat_log", "platform_promise", "payment_proof",
    "listing_snapshot", "identity_proof", "guardianship_proof", "police_report", "statement", "other",
)  # fmt: skip
ANSWERS = (
    "CHANNEL_PROCESSING", "ARRIVED_PER_CHANNEL", "BUYER_ACCOUNT_LIMIT", "BUYER_ACCOUNT_ABNORMAL",
    "BANK_RETURNED", "BEING_RETRIED",
)  # fmt: skip
ROLES = ("buyer", "service", "agent", "supervisor", "finance", "auditor", "channel", "system")
STAFF_ROLES = ("service", "agent", "supervisor", "finance", "auditor")
CALLER_ROLES = ("buyer", *STAFF_ROLES)  # channel and system are never taken from a caller
CHANNELS = ("alipay", "wechat_pay", "stripe", "balance", "bank_manual", "fake")
AUDIENCES = ("internal", "buyer")
CONTACTS = ("message", "phone", "chat")  # how a buyer was spoken to
