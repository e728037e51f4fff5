"""A rehearsal: a file of real complaints driven through the facade by a fixed rule, and checked against it."""

from refundflow.rehearsal.driver import policy_for, rehearse, rehearse_file
from refundflow.rehearsal.rule import BadRow, Complaint, Plan, plan_of, read_complaints, rule_text
from refundflow.rehearsal.summary import Money, Problem, Summary

__all__ = [
    "BadRow",
    "Complaint",
    "Money",
    "Plan",
    "Problem",
    "Summary",
    "plan_of",
    "policy_for",
    "read_complaints",
    "rehearse",
    "rehearse_file",
    "rule_text",
]
