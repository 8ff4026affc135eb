"""Made columns of keys: one value a row, of no use for a model."""

import base64
import uuid

from tests.data.torture.case import SKIP, Case, made, plain
from tests.data.torture.words import NAMES, NOUNS, digest


def mail(chance, i: int) -> str:
    """An address that is taken once."""
    return f"{chance.choice(NAMES)}.{chance.choice(NAMES)}{i}@example.{chance.choice(['org', 'com', 'net'])}"


def cases() -> list[Case]:
    """One value a row."""
    shuffled = lambda c, i: str((i * 37 + 11) % 200 + 1)  # every number up to 200, once
    address = lambda c, i: f"10.{i // 16}.{c.randint(0, 255)}.{i}"
    card = lambda c, i: f"{c.randint(1000, 9999)} {c.randint(1000, 9999)} {c.randint(1000, 9999)} {1000 + i}"
    return [
        made("id/rows-from-0", "identifier", plain(lambda c, i: str(i)), column="Unnamed: 0"),
        made("id/rows-from-1", "identifier", plain(lambda c, i: str(i + 1)), column="id"),
        made(
            "id/rows-gaps",
            "identifier",
            plain(lambda c, i: str(1000 + 3 * i + c.randint(0, 2))),
            n=150,
            column="customer_id",
        ),
        made("id/rows-shuffled", "identifier", plain(shuffled), n=200, column="patient_id"),
        made(
            "id/integers",
            "identifier",
            plain(lambda c, i: str(c.randint(10**6, 10**7) * 1000 + i)),
            n=200,
            column="account_no",
        ),
        made(
            "id/floats",
            "identifier",
            plain(lambda c, i: f"{10_000 + 17 * i}.0"),
            odd=[(None, SKIP)] * 4,
            column="user_id",
        ),
        made(
            "id/beyond-2-53",
            "identifier",
            plain(lambda c, i: str(10**18 + c.randint(0, 10**17) * 8 + i)),
            n=200,
            column="tweet_id",
        ),
        made("id/uuid", "identifier", plain(lambda c, i: str(uuid.UUID(int=c.getrandbits(128))))),
        made("id/md5", "identifier", plain(lambda c, i: digest(f"row {i}"))),
        made("id/short-hash", "identifier", plain(lambda c, i: digest(f"short {i}")[:8]), n=200),
        made(
            "id/base64",
            "identifier",
            plain(lambda c, i: base64.b64encode(c.randbytes(12)).decode()),
            column="token",
        ),
        made("id/emails", "identifier", plain(mail), column="email"),
        made(
            "id/phones",
            "identifier",
            plain(
                lambda c, i: (
                    f"+41 {c.choice([76, 78, 79])} {c.randint(100, 999)} {c.randint(10, 99)} {i % 90 + 10}"
                )
            ),
            n=90,
            column="phone",
        ),
        made(
            "id/phones-zeros",
            "identifier",
            plain(lambda c, i: f"079{c.randint(100, 999)}{1000 + 7 * i}"),
            column="mobile",
        ),
        made(
            "id/iban",
            "identifier",
            plain(lambda c, i: f"CH{c.randint(10, 99)} 0076 2011 6238 {c.randint(1000, 9999)} {i % 10}"),
            n=150,
            column="iban",
        ),
        made("id/invoices", "identifier", plain(lambda c, i: f"INV-2024-{i + 12:05d}"), column="invoice"),
        made(
            "id/zeros-in-front",
            "identifier",
            plain(lambda c, i: f"{7 * i + 3:06d}"),
            n=150,
            column="order_number",
        ),
        made(
            "id/usernames",
            "identifier",
            plain(lambda c, i: f"{c.choice(NAMES)}_{c.choice(NOUNS)}{i}"),
            column="user",
        ),
        made(
            "id/urls",
            "identifier",
            plain(lambda c, i: f"https://example.org/{c.choice(NOUNS)}/{digest(str(i))[:6]}"),
            column="url",
        ),
        made(
            "id/files",
            "identifier",
            plain(lambda c, i: f"/data/images/{c.choice(NOUNS)}_{i:04d}.jpg"),
            column="path",
        ),
        made("id/ip", "identifier", plain(address), n=200, column="ip"),
        made(
            "id/mac",
            "identifier",
            plain(lambda c, i: ":".join(f"{b:02x}" for b in c.randbytes(6))),
            column="mac",
        ),
        made("id/cards", "identifier", plain(card), column="card_number"),
        made(
            "id/isbn",
            "identifier",
            plain(lambda c, i: f"978-3-{c.randint(10, 99)}-{c.randint(100_000, 999_999)}-{i % 10}"),
            column="isbn",
        ),
        made(
            "id/plates",
            "identifier",
            plain(lambda c, i: f"ZH {c.randint(100, 999)}{100 + i}"),
            column="plate",
        ),
        made(
            "id/order-lines",
            "identifier category",
            plain(lambda c, i: f"B-{10_000 + i - (i % 15 == 7)}"),
            n=200,
            column="order_id",
        ),
        made(
            "id/mostly-missing",
            "identifier",
            plain(lambda c, i: f"REF{c.randint(10**6, 10**7)}" if i % 4 == 1 else None),
            n=240,
            column="reference",
        ),
        made(
            "id/coordinates",
            "text identifier category",
            plain(lambda c, i: f"({c.uniform(45, 48):.4f}, {c.uniform(6, 10):.4f})"),
            column="location",
        ),
    ]
