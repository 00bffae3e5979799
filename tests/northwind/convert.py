"""Makes orders.jsonl and stock.json, next to this file, out of the CSV files of Northwind.

    python3 convert.py FOLDER

Run by hand; what it makes is committed. FOLDER holds orders.csv, order-details.csv, customers.csv and products.csv.
"""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

CENT = Decimal("0.01")
WITHOUT_BACKORDER = "3"  # The shipper whose orders are undone rather than back-ordered.


def rows(path, count, text_with_commas=None):
    """The rows of a file as dictionaries, without what is NULL.

    The files have no quotes, and one column (`text_with_commas`) has commas in its values, always with a space after them:
    "24, place Kléber". A row with more parts than there are columns has those of that column put together again.
    """
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    columns = header.split(",")
    assert len(lines) == count, f"{path.name}: {len(lines)} rows instead of {count}"
    result = []
    for line in lines:
        parts = line.split(",")
        surplus = len(parts) - len(columns)
        if surplus:
            at = columns.index(text_with_commas)
            pieces = parts[at : at + surplus + 1]
            assert all(piece.startswith(" ") for piece in pieces[1:]), line
            parts[at : at + surplus + 1] = [",".join(pieces)]
        assert len(parts) == len(columns), line
        assert not any(part.startswith(" ") for part in parts), line
        result.append({column: part for column, part in zip(columns, parts) if part != "NULL"})
    return result


def price(detail):
    """What one piece costs after the discount, in cents, half-even."""
    exact = Decimal(detail["unitPrice"]) * (1 - Decimal(detail["discount"]))
    return str(exact.quantize(CENT, rounding=ROUND_HALF_EVEN))


def present(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def order(row, details, customers, products):
    customer = row["customerID"]
    return {
        "orderId": row["orderID"],
        "workflow": "order-fulfilment-without-backorder" if row["shipVia"] == WITHOUT_BACKORDER else "order-fulfilment",
        "customer": {
            "id": customer,
            "name": customers[customer]["companyName"],
            "email": f"orders@{customer.lower()}.example",
        },
        "currency": "USD",
        "lines": [
            {
                "sku": detail["productID"],
                "name": products[detail["productID"]]["productName"],
                "quantity": int(detail["quantity"]),
                "unitPrice": price(detail),
            }
            for detail in details
        ],
        "shipTo": present(
            name=row.get("shipName"),
            street=row.get("shipAddress"),
            city=row.get("shipCity"),
            region=row.get("shipRegion"),
            postalCode=row.get("shipPostalCode"),
            country=row.get("shipCountry"),
        ),
        "attributes": present(
            orderDate=date(row.get("orderDate")),
            requiredDate=date(row.get("requiredDate")),
            freight=row.get("freight"),
            shipVia=int(row["shipVia"]),
        ),
    }


def date(text):
    """The day of "1996-07-04 00:00:00.000": the time is midnight in every row."""
    if text is None:
        return None
    day, time = text.split(" ")
    assert time == "00:00:00.000", text
    return day


def main(folder):
    customers = {row["customerID"]: row for row in rows(folder / "customers.csv", 91, "address")}
    products = {row["productID"]: row for row in rows(folder / "products.csv", 77)}
    all_details = rows(folder / "order-details.csv", 2155)
    assert sum(int(detail["quantity"]) for detail in all_details) == 51317
    details = {}
    for detail in all_details:
        details.setdefault(detail["orderID"], []).append(detail)
    orders = rows(folder / "orders.csv", 830, "shipAddress")
    assert details.keys() == {row["orderID"] for row in orders}

    here = Path(__file__).parent
    with open(here / "orders.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for row in orders:
            line = order(row, details[row["orderID"]], customers, products)
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    stock = [{"sku": sku, "quantity": int(row["unitsInStock"])} for sku, row in products.items()]
    with open(here / "stock.json", "w", encoding="utf-8", newline="\n") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(item) for item in stock) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
