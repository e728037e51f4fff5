"""Orders as a marketplace hands them over: a file of order lines, read row by row, good rows beside bad ones.

One row is one line of an order, as CSV with a header or as JSON Lines with the same names:
``order_id,buyer_id,product_type,product,usage,amount_minor,currency,channel,payment_no,paid_at,completed_at``
and, where wanted, ``line,valid_from,valid_to``. UTF-8 with or without a byte order mark; times with an offset;
an empty ``completed_at`` is an order not completed, an empty ``paid_at`` one not yet paid.

A CSV row stands on one physical line: no field may hold a line break, so a quote left open costs one row only.
"""

from refundflow.orders.file import parse, read
from refundflow.orders.row import COLUMNS, LARGEST_AMOUNT, OPTIONAL, REQUIRED, OrderRow
from refundflow.row_file import LONGEST_ROW, RejectedRow, write_rejects

__all__ = [
    "COLUMNS",
    "LARGEST_AMOUNT",
    "LONGEST_ROW",
    "OPTIONAL",
    "REQUIRED",
    "OrderRow",
    "RejectedRow",
    "parse",
    "read",
    "write_rejects",
]
