"""Secrets in code. Each one is put together as the test runs, so that no file of ours holds what looks like one."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.dataset.scrub import MARK, Scrubber
from tests.answers import example
from tidepool.domain import Provenance

FIXTURES = Path(__file__).parent / "fixtures"


def letters(count: int) -> str:
    """So many letters and digits that look random."""
    return b64encode(sha256(b"a").digest() + sha256(b"b").digest(), altchars=b"xy").decode()[:count]


def token(*parts: dict[str, str]) -> str:
    """A JSON web token of these parts, and of a signature."""
    encoded = [urlsafe_b64encode(str(part).replace("'", '"').encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, letters(43)])


AWS = "AKIA" + "IOSFODNN7" + "EXAMPLE"
AWS_SECRET = "wJalrXUtnFEMI/" + "K7MDENG/bPxRfi" + "CYEXAMPLEKEY"
KEY_HEAD = "-----BEGIN " + "RSA PRIVATE" + " KEY-----"
KEY_TAIL = "-----END " + "RSA PRIVATE" + " KEY-----"
WEB_TOKEN = token({"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "Jo"})


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber()


@pytest.mark.parametrize(
    ("before", "secret", "after", "kind"),
    [
        ("key_id = '", AWS, "'", "AWS Access Key"),
        ("aws_secret_key = '", AWS_SECRET, "'", "AWS Access Key"),
        ("token = '", "ghp_" + letters(36), "'", "GitHub Token"),
        ("    return ", "xoxb-" + "12345-" + "67890-" + "abcdef", "", "Slack Token"),
        ("auth('", WEB_TOKEN, "')", "JSON Web Token"),
        ('connect(password="', "correct horse", '")', "Secret Keyword"),
        ("url = 'https://jo:", "hunter22", "@example.com/'", "Basic Auth Credentials"),
        ("stripe = '", "sk_live_" + letters(24), "'", "Stripe Access Key"),
        ("salt = '", sha256(b"salt").hexdigest(), "'", "Hex High Entropy String"),
        ("salt = '", letters(40), "'", "Base64 High Entropy String"),
        ("    ", letters(64), "\\n'", "Base64 High Entropy String"),
    ],
)
def test_a_secret_is_replaced_and_counted(before: str, secret: str, after: str, kind: str) -> None:
    scrubber = Scrubber()
    scrubbed = scrubber.text(f"a = 1\n{before}{secret}{after}\nb = 2")
    assert scrubbed == f"a = 1\n{before}{MARK}{after}\nb = 2"
    assert scrubber.found == {kind: 1}


def test_a_key_is_replaced_line_by_line(scrubber: Scrubber) -> None:
    body = [letters(40), letters(17), "b2" * 8]
    text = "\n".join([f'KEY = """{KEY_HEAD}', *body, KEY_TAIL, '"""'])
    lines = scrubber.text(text).split("\n")
    assert lines == [f'KEY = """-----{MARK}', MARK, MARK, MARK, KEY_TAIL, '"""']


def test_what_comes_after_a_mention_of_a_key_stays(scrubber: Scrubber) -> None:
    text = f'    if "{KEY_HEAD}" in text:\n        return "a key"\n    return text'
    assert scrubber.text(text) == text.replace(KEY_HEAD.removeprefix("-----"), MARK)


def test_every_secret_of_a_line_is_replaced(scrubber: Scrubber) -> None:
    assert scrubber.text(f"f('{AWS}', '{WEB_TOKEN}')  # {AWS}") == f"f('{MARK}', '{MARK}')  # {MARK}"


@pytest.mark.parametrize(
    "text",
    [
        'password = "{password}"',
        'password="****"',
        'api_key = os.environ["API_KEY"]',
        "def connect(password: str, token: str | None = None) -> Session:",
        'name = "ThisIsTheLongNameOfAClassThatSomebodyWroteByHandAndNobodyLikes"',
        'ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"',
        'url = f"https://{user}:{password}@{host}/"',
        'version = "192.168.0.1"',
    ],
)
def test_what_only_speaks_of_secrets_stays(text: str, scrubber: Scrubber) -> None:
    assert scrubber.text(text) == text


def test_code_without_secrets_stays_as_it_is() -> None:
    scrubber = Scrubber()
    for file in sorted(FIXTURES.rglob("*.py")):
        text = file.read_text()
        assert scrubber.text(text) == text
    assert not scrubber.found


def test_all_texts_of_an_example_but_its_question_are_scrubbed(scrubber: Scrubber) -> None:
    origin = Provenance(disputed=f"the rules say {AWS}")
    dirty = attrs.evolve(example(snippet=f"x\n{AWS}", hover=f"Literal['{AWS}']"), provenance=origin)
    dirty = attrs.evolve(dirty, rubric=attrs.evolve(dirty.rubric, reasoning=f"`{AWS}` breaks"))
    clean = scrubber.scrubbed(dirty)
    assert (clean.node.snippet, clean.node.hover) == (f"x\n{MARK}", f"Literal['{MARK}']")
    assert clean.rubric.reasoning == f"`{MARK}` breaks"
    assert clean.provenance is not None and clean.provenance.disputed == f"the rules say {MARK}"
    assert (clean.query, clean.node.location) == (dirty.query, dirty.node.location)


@given(st.text(max_size=200))
def test_any_text_keeps_its_lines(text: str) -> None:
    assert Scrubber().text(text).count("\n") == text.count("\n")
