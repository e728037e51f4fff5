"""What a complaint about a financial product stands for here: our product type, reason and usage, as a table.

Every reason fits its product and, for its usage, is reviewed (Eligibility of the default policy): so whatever the
file says of the outcome can really be reached, money back too.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Claim(NamedTuple):
    """What is claimed: reason and usage as coded lists have them."""

    reason: str
    usage: str


PRODUCTS: Mapping[str, str] = {
    "Bank account or service": "software_account",
    "Consumer Loan": "software_licence",
    "Credit card": "game_card",
    "Credit reporting": "membership",
    "Debt collection": "other",
    "Money transfers": "game_topup",
    "Mortgage": "virtual_hosting",
    "Other financial service": "other",
    "Payday loan": "phone_topup",
    "Prepaid card": "gift_card",
    "Student loan": "game_item",
}
OTHER_PRODUCT = "other"
OTHER_ISSUE = Claim("OTHER", "unused")

# Grounds of a rejection, by the reason of the claim.
GROUNDS: Mapping[str, str] = {
    "CREDITED_WRONG_ACCOUNT": "BUYER_INPUT_ERROR",
    "FRAUD": "EVIDENCE_INCONSISTENT",
    "MINOR_SPENDING": "EVIDENCE_INCONSISTENT",
    "DUPLICATE_PAYMENT": "EVIDENCE_INCONSISTENT",
}
OTHER_GROUND = "DELIVERY_PROVEN"

CLAIMS: Mapping[str, Mapping[str, Claim]] = {
    "Bank account or service": {
        "Account opening, closing, or management": Claim("CANNOT_LOG_IN", "activated"),
        "Deposits and withdrawals": Claim("DUPLICATE_PAYMENT", "partly_used"),
        "Making/receiving payments, sending money": Claim("CREDITED_WRONG_ACCOUNT", "unused"),
        "Problems caused by my funds being low": Claim("SERVICE_INTERRUPTED", "activated"),
        "Using a debit or ATM card": Claim("CANNOT_LOG_IN", "unused"),
    },
    "Consumer Loan": {
        "Account terms and changes": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "Managing the line of credit": Claim("SERVICE_INTERRUPTED", "activated"),
        "Managing the loan or lease": Claim("CODE_INVALID", "unused"),
        "Payment to acct not credited": Claim("NOT_DELIVERED", "unused"),
        "Problems when you are unable to pay": Claim("CODE_ALREADY_USED", "used"),
        "Shopping for a line of credit": Claim("WRONG_PRODUCT", "unused"),
        "Shopping for a loan or lease": Claim("WRONG_PRODUCT", "unused"),
        "Taking out the loan or lease": Claim("NO_LONGER_NEEDED", "unused"),
    },
    "Credit card": {
        "APR or interest rate": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "Advertising and marketing": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "Application processing delay": Claim("NOT_DELIVERED", "unused"),
        "Arbitration": Claim("OTHER", "unused"),
        "Balance transfer": Claim("CREDITED_WRONG_ACCOUNT", "used"),
        "Balance transfer fee": Claim("WRONG_FACE_VALUE", "unused"),
        "Bankruptcy": Claim("NO_LONGER_NEEDED", "unused"),
        "Billing disputes": Claim("DUPLICATE_PAYMENT", "used"),
        "Billing statement": Claim("DUPLICATE_PAYMENT", "unused"),
        "Cash advance": Claim("WRONG_FACE_VALUE", "unused"),
        "Cash advance fee": Claim("WRONG_FACE_VALUE", "unused"),
        "Closing/Cancelling account": Claim("NO_LONGER_NEEDED", "unused"),
        "Credit card protection / Debt protection": Claim("WRONG_PRODUCT", "unused"),
        "Credit determination": Claim("CODE_INVALID", "unused"),
        "Credit line increase/decrease": Claim("WRONG_FACE_VALUE", "unused"),
        "Customer service / Customer relations": Claim("OTHER", "unused"),
        "Delinquent account": Claim("CODE_ALREADY_USED", "used"),
        "Forbearance / Workout plans": Claim("OTHER", "unused"),
        "Identity theft / Fraud / Embezzlement": Claim("FRAUD", "used"),
        "Late fee": Claim("NOT_DELIVERED", "activated"),
        "Other": Claim("OTHER", "unknown"),
        "Other fee": Claim("WRONG_FACE_VALUE", "unused"),
        "Overlimit fee": Claim("WRONG_FACE_VALUE", "unused"),
        "Payoff process": Claim("CREDITED_WRONG_ACCOUNT", "activated"),
        "Privacy": Claim("FRAUD", "unused"),
        "Rewards": Claim("WRONG_FACE_VALUE", "unused"),
        "Sale of account": Claim("CODE_ALREADY_USED", "used"),
        "Transaction issue": Claim("CREDITED_WRONG_ACCOUNT", "used"),
        "Unsolicited issuance of credit card": Claim("MINOR_SPENDING", "activated"),
    },
    "Credit reporting": {
        "Credit monitoring or identity protection": Claim("SERVICE_INTERRUPTED", "activated"),
        "Credit reporting company's investigation": Claim("CODE_INVALID", "activated"),
        "Improper use of my credit report": Claim("FRAUD", "used"),
        "Incorrect information on credit report": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "Unable to get credit report/credit score": Claim("NOT_PROVISIONED", "unused"),
    },
    "Debt collection": {
        "Communication tactics": Claim("NO_LONGER_NEEDED", "unused"),
        "Cont'd attempts collect debt not owed": Claim("DUPLICATE_PAYMENT", "used"),
        "Disclosure verification of debt": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "False statements or representation": Claim("WRONG_PRODUCT", "unused"),
        "Improper contact or sharing of info": Claim("MINOR_SPENDING", "used"),
        "Taking/threatening an illegal action": Claim("FRAUD", "partly_used"),
    },
    "Money transfers": {
        "Fraud or scam": Claim("FRAUD", "used"),
        "Incorrect/missing disclosures or info": Claim("WRONG_FACE_VALUE", "unused"),
        "Money was not available when promised": Claim("NOT_DELIVERED", "unused"),
        "Other service issues": Claim("OTHER", "unused"),
        "Other transaction issues": Claim("CREDITED_WRONG_ACCOUNT", "used"),
        "Wrong amount charged or received": Claim("WRONG_FACE_VALUE", "unknown"),
    },
    "Mortgage": {
        "Application, originator, mortgage broker": Claim("WRONG_PRODUCT", "unused"),
        "Credit decision / Underwriting": Claim("NOT_PROVISIONED", "unused"),
        "Loan modification,collection,foreclosure": Claim("SERVICE_INTERRUPTED", "activated"),
        "Loan servicing, payments, escrow account": Claim("NOT_PROVISIONED", "activated"),
        "Other": Claim("OTHER", "unused"),
        "Settlement process and costs": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
    },
    "Other financial service": {
        "Customer service/Customer relations": Claim("OTHER", "unused"),
        "Disclosures": Claim("RIGHTS_NOT_AS_DESCRIBED", "unused"),
        "Excessive fees": Claim("DUPLICATE_PAYMENT", "unused"),
    },
    "Payday loan": {
        "Applied for loan/did not receive money": Claim("NOT_DELIVERED", "unused"),
        "Can't contact lender": Claim("NOT_DELIVERED", "unknown"),
        "Can't stop charges to bank account": Claim("DUPLICATE_PAYMENT", "used"),
        "Charged fees or interest I didn't expect": Claim("WRONG_FACE_VALUE", "unused"),
        "Payment to acct not credited": Claim("CREDITED_WRONG_ACCOUNT", "unused"),
        "Received a loan I didn't apply for": Claim("MINOR_SPENDING", "used"),
    },
    "Prepaid card": {
        "Fees": Claim("WRONG_FACE_VALUE", "unused"),
        "Fraud or scam": Claim("CODE_ALREADY_USED", "used"),
        "Managing, opening, or closing account": Claim("CODE_INVALID", "unused"),
        "Overdraft, savings or rewards features": Claim("WRONG_FACE_VALUE", "unused"),
        "Unauthorized transactions/trans. issues": Claim("FRAUD", "used"),
    },
    "Student loan": {
        "Can't repay my loan": Claim("NO_LONGER_NEEDED", "unused"),
        "Dealing with my lender or servicer": Claim("CANNOT_LOG_IN", "unused"),
        "Getting a loan": Claim("NOT_DELIVERED", "unused"),
        "Repaying your loan": Claim("SERVICE_INTERRUPTED", "unused"),
    },
}


def product_type(product: str) -> str:
    """Return our product type for a product of the file; one not in the table is `other`."""
    return PRODUCTS.get(product, OTHER_PRODUCT)


def claim(product: str, issue: str) -> Claim:
    """Return reason and usage for an issue with a product; one not in the table is OTHER, unused."""
    return CLAIMS.get(product, {}).get(issue, OTHER_ISSUE)
