"""Words and sentences for the made columns."""

import hashlib


def words(text: str) -> list[str]:
    """Split a line into its words."""
    return text.split()


NAMES = words("anna ben carla dario elena felix greta hugo ines jonas karim lea milo nora otto paula")
NOUNS = words("kettle lamp train dress room garden phone chair bottle jacket window table bicycle door")
TRAITS = words("small broken lovely noisy cheap sturdy late blue perfect heavy soft dirty bright old")
VERBS = words("arrived works broke fits leaks looks sounds feels smells shines")
TAILS = [
    "after two days",
    "as described",
    "would buy again",
    "too large for me",
    "and the price is fair",
    "never again",
]


def sentence(chance) -> str:
    """A few words that nobody else wrote."""
    start = (
        f"The {chance.choice(TRAITS)} {chance.choice(NOUNS)} {chance.choice(VERBS)} {chance.choice(TAILS)}"
    )
    return f"{start}, {chance.choice(NOUNS)} {chance.randint(2, 99)} was {chance.choice(TRAITS)}."


def digest(text: str) -> str:
    """The MD5 of a text, as hexadecimal digits."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
