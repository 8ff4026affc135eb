"""Made columns of free text."""

import json

from tests.data.torture.case import Case, made, plain
from tests.data.torture.made_numbers import gone
from tests.data.torture.words import NAMES, NOUNS, TAILS, TRAITS, digest, sentence


def document(chance, i: int) -> str:
    """A JSON object."""
    return json.dumps({"id": i, "tags": chance.sample(TRAITS, 2), "size": chance.randint(1, 99)})


def log_line(chance, i: int) -> str:
    """A line of a log."""
    what = f"cannot open {chance.choice(NAMES)}{i}.txt ({chance.choice(TRAITS)})"
    return f"2024-03-{1 + i % 28:02d} ERROR {chance.choice(NOUNS)}: {what}"


def parcel(chance, _: int) -> str:
    """A description with numbers inside."""
    what = f"{chance.randint(1, 9)} x {chance.choice(NOUNS)}, {chance.choice(TRAITS)}"
    return f"{what}, {chance.randint(10, 99)} cm, {chance.choice(TAILS)}"


def question(chance, i: int) -> str:
    """A question in Chinese."""
    what = chance.choice(["這個", "那個"]) + chance.choice(["燈", "門", "車"])
    return f"為什麼{what}不能用了？第{i}次 問題{chance.randint(10, 99)}"


def cases() -> list[Case]:
    """Words that somebody wrote."""
    person = lambda c, i: (
        f"{c.choice(NAMES).title()} {c.choice(NOUNS).title()}{c.choice(['', 'er', 'mann', 'i'])}"
    )
    street = lambda c, i: (
        f"{c.choice(NOUNS).title()} Street {i + 1}, {8000 + c.randint(1, 99)} {c.choice(['Zürich', 'Bern'])}"
    )
    page = lambda c, i: f"<p>{sentence(c)}</p><a href='/{i}'>more</a>"
    remark = lambda c, i: sentence(c) if i % 6 == 2 else None
    return [
        made(
            "text/reviews",
            "text",
            plain(lambda c, _: " ".join(sentence(c) for _ in range(c.randint(1, 4)))),
            column="review",
        ),
        made(
            "text/titles",
            "text",
            plain(lambda c, _: f"{c.choice(TRAITS)} {c.choice(NOUNS)} {c.choice(TAILS)}".capitalize()),
            column="title",
        ),
        made("text/lines", "text", plain(lambda c, _: sentence(c) + "\n" + sentence(c)), column="comment"),
        made("text/mostly-missing", "text", plain(remark), n=240, column="remarks"),
        made(
            "text/missing-words",
            "text",
            plain(lambda c, _: sentence(c)),
            odd=gone("n/a", "-", "", "none", "NA"),
            column="feedback",
        ),
        made("text/json", "text identifier", plain(document), column="payload"),
        made("text/html", "text", plain(page), column="body"),
        made("text/log", "text identifier", plain(log_line), column="message"),
        made("text/addresses", "text identifier", plain(street), column="address"),
        made("text/people", "text identifier category", plain(person), column="name"),
        made("text/chinese", "text", plain(question), column="question"),
        made(
            "text/tweets",
            "text",
            plain(
                lambda c, i: (
                    f"@{c.choice(NAMES)} {sentence(c)} #{c.choice(NOUNS)} https://t.co/{digest(str(i))[:6]}"
                )
            ),
        ),
        made(
            "text/yes-and-why",
            "text",
            plain(lambda c, _: f"{c.choice(['Yes', 'No'])}, {sentence(c).lower()}"),
            column="why",
        ),
        made("text/numbers-inside", "text", plain(parcel), column="description"),
    ]
