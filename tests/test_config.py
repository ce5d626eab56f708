"""Configuration: who may say what, what is said of what is wrong, and which interpreters come of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge import keys, settings, tokens
from interpreters.edge.config import ReplayServer, Settings, check_scorer, choose_server, open_scorer, read_settings
from interpreters.edge.documents import read_document
from interpreters.edge.keys import BuiltIn, keys_of
from interpreters.edge.overview import overview
from interpreters.edge.tokens import token_in
from interpreters.gemma import breaker, model
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.servers import Server
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import lift, run_async
from tidepool.effects.gemma import RateNode
from tidepool.errors import ConfigError, ModelFailure

REPOSITORY = Path(__file__).parents[1]
ASKED = RateNode(
    QueryContext("What breaks if I add a variant to Kind?", ()),
    NodeContext("prices.py:3", None, "def price(kind):\n    match kind:\n        case Kind.TEA:\n            return 2"),
)


@attrs.frozen
class User:
    """Someone with a file of their own and a codebase."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "config" / "tidepool" / "tidepool.toml"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def says(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def codebase_says(self, text: str, name: str = "tidepool.toml") -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def settings(self, variables: Mapping[str, str] | None = None, **flags: Any) -> Settings:
        environ = {"XDG_CONFIG_HOME": str(self.folder / "config"), **(variables or {})}
        return read_settings(self.root, environ, flags)


@pytest.fixture
def user(tmp_path: Path) -> User:
    someone = User(tmp_path)
    someone.root.mkdir()
    someone.file.parent.mkdir(parents=True)
    return someone


# Who may say what


def test_nothing_said_is_the_defaults_of_the_table(user: User) -> None:
    found = user.settings()
    assert {key.name: getattr(found, key.name) for key in keys.SETTINGS} == {k.name: k.default for k in keys.SETTINGS}
    assert (found.notes, dict(found.origins)) == ((), {})


def test_later_wins(user: User) -> None:
    said: list[tuple[int, str]] = [(user.settings().budget, "default")]

    def say(found: Settings) -> None:
        said.append((found.budget, found.origins[("budget",)]))

    user.codebase_says("budget = 1\n")
    say(user.settings())
    user.codebase_says("[tool.tidepool]\nbudget = 2\n", "pyproject.toml")
    say(user.settings())
    user.says("# mine\nbudget = 3\n")
    say(user.settings())
    say(user.settings({"TIDEPOOL_BUDGET": "4"}))
    say(user.settings({"TIDEPOOL_BUDGET": "4"}, budget=5))
    assert said == [
        (20, "default"),
        (1, "tidepool.toml:1"),
        (2, "pyproject.toml:2"),
        (3, f"{user.file}:2"),
        (4, "TIDEPOOL_BUDGET"),
        (5, "--budget"),
    ]


def test_what_one_place_leaves_out_the_earlier_ones_say(user: User) -> None:
    user.codebase_says('tags = ["function"]\nformat = "json"\n')
    user.says('format = "markdown"\n[scorers.model]\nurl = "http://one"\nattempts = 2\n')
    found = user.settings({"TIDEPOOL_MODEL_URL": "http://two", "TIDEPOOL_TIMEOUT_S": "1.5"}, python=None)
    assert (found.tags, found.format, found.timeout_s) == (("Function",), "markdown", 1.5)
    scorer = found.scorers["model"]
    assert isinstance(scorer, settings.ModelScorer)
    assert (scorer.url, scorer.attempts) == ("http://two", 2)


def test_without_a_codebase_none_is_asked(user: User) -> None:
    user.codebase_says("budget = 1\n")
    assert read_settings(None, {"XDG_CONFIG_HOME": str(user.folder / "config")}, {}).budget == 20


def test_a_user_without_a_file_or_a_home_has_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"XDG_CONFIG_HOME": "relative"}, {}).budget == 20
    assert read_settings(None, {"HOME": ""}, {}).scorer == "heuristic"


RESERVED = {
    "scorer": 'scorer = "model"',
    "server": 'server = "evil"',
    "python": 'python = "./run-me"',
    "verify": "verify = false",
    "keep": 'keep = "kept"',
    "broker": "broker = false",
    "servers": '[servers.evil]\ncommand = ["touch", "pwned"]',
    "scorers": '[scorers.model]\nurl = "http://attacker.example"\ntoken_env = "SECRET"',
}


def test_every_key_a_codebase_may_not_set_is_tried_here() -> None:
    reserved = {key.name for key in keys.SETTINGS if key.for_codebase is None}
    assert reserved | {"servers", "scorers"} == RESERVED.keys()


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("file", ["tidepool.toml", "pyproject.toml"])
def test_what_a_codebase_may_not_set_is_passed_over_and_told_with_its_line(user: User, name: str, file: str) -> None:
    before = user.settings()
    text = RESERVED[name]
    if file == "pyproject.toml":
        text = f"[tool.tidepool]\n{text}".replace("[s", "[tool.tidepool.s")
    user.codebase_says(f"# a codebase\n{text}\n", file)
    found = user.settings()
    assert attrs.evolve(found, notes=()) == before
    line = 3 if file == "pyproject.toml" else 2
    (note,) = found.notes
    assert note.startswith(f"{file}:{line}: {name} is not for a codebase to set, and was passed over; say it in ")
    assert str(user.file) in note


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("budget = 1001", "tidepool.toml:1: a codebase may set budget from 1 to 1000, and it was taken for 1000"),
        ("budget = 0", "a codebase may set budget from 1 to 1000, and it was taken for 1"),
        ("timeout_s = 601", "tidepool.toml:1: a codebase may set timeout_s from 60 to 600"),
        ("timeout_s = 0.000001", "it was taken for 60"),
        ("budget = '5'", "tidepool.toml:1: budget: '5' is not a whole number from 0 to 999999999 (passed over)"),
        ("bugdet = 5", "tidepool.toml:1: bugdet is not known; did you mean budget? (passed over)"),
        ("format = 'jsn'", "is not one of table, json, markdown, html; did you mean json? (passed over)"),
        ("tags = ['Functoin']", "tidepool.toml:1: tags: ['Functoin'] is not one of Exhaustive"),
        ('"\\u001b[2J" = 1', r"tidepool.toml:1: '\x1b[2J' is not known"),
        ("budget = ", "the codebase's tidepool.toml is not TOML: Invalid value (at line 1, column 10), and was passed"),
    ],
)
def test_what_a_codebase_sets_wrongly_is_told_and_stops_nothing(user: User, text: str, note: str) -> None:
    user.codebase_says(f"{text}\n")
    (told,) = user.settings().notes
    assert note in " ".join(told.split())
    assert told.isprintable()


def test_a_codebase_is_held_to_its_bounds(user: User) -> None:
    user.codebase_says("budget = 999999999\ntimeout_s = 80000\n")
    assert (user.settings().budget, user.settings().timeout_s) == (1_000, 600)
    user.says("budget = 999999999\n")
    assert user.settings().budget == 999_999_999


def test_a_codebase_cannot_flood_its_user(user: User) -> None:
    user.codebase_says("".join(f"key{n} = 1\n" for n in range(20_000)))
    notes = user.settings().notes
    assert len(notes) == 6
    assert notes[-1] == "tidepool.toml: 19995 more of its keys are not known (passed over)"


def make_link_out(file: Path) -> None:
    outside = file.parent.parent / "outside.toml"
    outside.write_text("[tool.tidepool]\nbudget = 7\n[tidepool]\n")
    file.symlink_to(outside)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "huge": (lambda file: file.write_bytes(b"# tool tidepool\n" * 20_000), "is larger than 256 KiB"),
    "not UTF-8": (lambda file: file.write_bytes(b"# tool tidepool\nbudget = '\xff'\n"), "is not UTF-8"),
    "a link out": (make_link_out, "is a link that leads out of the codebase"),
    "a link to itself": (lambda file: file.symlink_to(file), "cannot be read"),
    "a pipe": (os.mkfifo, "is no regular file"),
    "a folder": (Path.mkdir, "is no regular file"),
    "deep": (lambda file: file.write_text("#tool\ntidepool = " + "[" * 100_000), "is nested too deep"),
    "an endless key": (lambda file: file.write_text("tool.tidepool" + ".a" * 100_000 + " = 1"), "more than 20 parts"),
    "an endless quoted key": (
        lambda file: file.write_text(
            "[tool.tidepool]\n" + r'"\"". ' + "\t'd' . " * 10_000 + r'"\"".' * 20_000 + "a = 1"
        ),
        "more than 20 parts",
    ),
    "an endless number": (lambda file: file.write_text("tool.tidepool=1" + "0" * 100_000), "is not TOML"),
    "with a nought": (lambda file: file.write_text("[tool.tidepool]\nformat = 'a\x00'"), "is not TOML"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["tidepool.toml", "pyproject.toml"])
def test_a_hostile_file_is_passed_over_and_told(user: User, kind: str, name: str) -> None:
    make, complaint = HOSTILE[kind]
    make(user.root / name)
    before = attrs.evolve(user.settings(), notes=())
    (note,) = user.settings().notes
    assert note.startswith(f"the codebase's {name} ")
    assert complaint in note
    assert before.budget == 20


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ['x = """' + '\\" ' * 80_000 + '"""', '"' + '" . "'.join(["a" * 101] * 2_000) + '" = 1']
)
def test_a_file_made_to_keep_its_reader_busy_does_not(user: User, text: str) -> None:
    user.codebase_says(f"budget = 7\n{text}\n")
    found = user.settings()
    assert found.budget == 7
    assert found.notes[0].startswith("tidepool.toml:2: ")


@pytest.mark.parametrize("value", ["1", "[]", "'text'"])
def test_a_table_of_a_codebase_that_is_none_is_told(user: User, value: str) -> None:
    user.codebase_says(f"[tool]\ntidepool = {value}\n", "pyproject.toml")
    assert user.settings().notes == ("pyproject.toml:2: tool.tidepool is not a table, and was passed over",)


def test_a_link_within_the_codebase_is_followed(user: User) -> None:
    user.codebase_says("budget = 8\n", "settings.toml")
    (user.root / "tidepool.toml").symlink_to("settings.toml")
    assert user.settings().budget == 8


def test_a_pyproject_that_does_not_speak_to_us_need_not_even_be_right(user: User) -> None:
    user.codebase_says("[tool.other\n", "pyproject.toml")
    assert user.settings().notes == ()


# What is wrong with what the user said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\nbugdet = 3", ":2: bugdet is not known; did you mean budget?"),
        ("xyz = 3", ":1: xyz is not known; it may be budget, tags, format,"),
        ("budget = 'x'", ":1: budget: 'x' is not a whole number from 0 to 999999999"),
        ("budget = true", "budget: True is not a whole number"),
        ("budget = -1", "budget: -1 is not a whole number"),
        ("timeout_s = 0", "timeout_s: 0 is not a number of seconds above 0 and below a day"),
        ("timeout_s = nan", "timeout_s: nan is not a number of seconds"),
        ("tags = 'Function'", "tags: 'Function' is not one of Exhaustive"),
        ("format = 'makdown'", "'makdown' is not one of table, json, markdown, html; did you mean markdown?"),
        ("server = ''", "server: '' is not a text"),
        ("servers = 1", ":1: servers: 1 is not a table"),
        ("servers.own = 1", ":1: servers.own: 1 is not a table"),
        ("[servers.own]\n\ncomand = ['x']", ":3: servers.own.comand is not known; did you mean command?"),
        ("[servers.own]\ncommand = 'x'", ":2: servers.own.command: 'x' is not a list of texts"),
        ("[servers.own]\ncommand = []", ":2: servers.own.command: [] is not a list of texts, of one at least"),
        ("[scorers.model]\nurl = 'ftp://x'", ":2: scorers.model.url: 'ftp://x' is not an http or https address"),
        ("[scorers.model]\nurl = 'http://me:word@host'", "address without a password"),
        ("[scorers.model]\nurl = 'http://host/score'", "and without /score at its end"),
        ("[scorers.model]\nnodes_per_request = 51", "nodes_per_request: 51 is not a whole number from 1 to 50"),
        ("[scorers.model]\nurll = 'x'", ":2: scorers.model.urll is not known; did you mean url?"),
        ("[scorers.model]\nkind = 'replay'", ":2: model is built in, of its own kind: give a scorer of kind replay an"),
        ("[scorers.heuristic]\nurl = 'http://x'", ":2: scorers.heuristic.url is not known; it may be kind"),
        ("[scorers.a]\nkind = 3", ":2: scorers.a.kind: 3 is not a text"),
        ("[scorers.a]\nkind = 'hybrid'\nfalback = 'x'", ":3: scorers.a.falback is not known; did you mean fallback?"),
        ("=", "is not TOML: Invalid statement (at line 1, column 1): mend or remove it"),
    ],
)
def test_what_the_user_sets_wrongly_is_told_with_its_file_and_line(user: User, text: str, complaint: str) -> None:
    user.says(text)
    with pytest.raises(ConfigError) as raised:
        user.settings()
    assert str(raised.value).startswith(str(user.file))
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TIDEPOOL_BUDGET", "many", "TIDEPOOL_BUDGET: 'many' is not a whole number"),
        ("TIDEPOOL_TAGS", "Function,Modul", "TIDEPOOL_TAGS: 'Function,Modul' is not one of"),
        ("TIDEPOOL_MODEL_URL", "host:80", "TIDEPOOL_MODEL_URL: 'host:80' is not an http or https address"),
        ("TIDEPOOL_HYBRID_FAILURES", "0", "TIDEPOOL_HYBRID_FAILURES: '0' is not a whole number from 1 to 1000"),
    ],
)
def test_a_variable_that_is_wrong_is_told(user: User, name: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        user.settings({name: value})
    assert complaint in str(raised.value)


def test_a_variable_that_is_not_known_is_told_where_it_is_like_one_that_is(user: User) -> None:
    found = user.settings({"TIDEPOOL_BUGDET": "3", "TIDEPOOL_TOKEN": "x", "TIDEPOOL_ELSE": "y", "TIDEPOOL_FORMAT": ""})
    assert found.notes == (
        "the variable TIDEPOOL_BUGDET is not known, and was passed over; did you mean TIDEPOOL_BUDGET?",
    )
    assert found.format == "table"


def test_a_flag_is_checked_like_the_rest(user: User) -> None:
    with pytest.raises(ConfigError, match="--budget: budget: -1 is not a whole number"):
        user.settings(budget=-1)
    with pytest.raises(ConfigError, match="did you mean budget"):
        user.settings(bugdet=1)


def test_paths_in_a_file_are_relative_to_its_folder(user: User) -> None:
    user.says("python = 'venv'\n[scorers.replay]\nfile = '~/tape.jsonl'\n")
    found = user.settings()
    assert found.python == user.file.parent / "venv"
    assert found.scorers["replay"] == settings.ReplayScorer(
        "replay", f"{user.file}:2", Path("~/tape.jsonl").expanduser()
    )


# Where it is said


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\nb = 2\n", ("b",), 2),
        ("\n# b = 1\n\n  b  =  2", ("b",), 4),
        ("[t]\na = 1\n[u]\na = 2\n", ("u", "a"), 4),
        ("[ t . 'u v' ]\n'a b' = 1\n", ("t", "u v", "a b"), 2),
        ("t.u.a = 1\nt.u.b = 2\n", ("t", "u", "b"), 2),
        ("x = '''\nb = 1\n'''\nb = 2\n", ("b",), 4),
        ('x = """\n[b]\n\\""" # """\nb = 2\n', ("b",), 4),
        ("x = [\n  'b = 1', # ]\n  [2],\n]\nb = 2\n", ("b",), 5),
        ("x = 'it # is'\nb = 2 # b = 3\n", ("b",), 2),
        ("[t]\nx = { a = 1, b = 2 }\n", ("t", "x", "b"), 2),
        ("x = 1\r\nb = 2\r\n", ("b",), 2),
        ("[t]\nx = 1\n", ("t", "gone"), 1),
    ],
)
def test_a_key_is_found_on_its_line(tmp_path: Path, text: str, path: tuple[str, ...], line: int) -> None:
    assert located(tmp_path / "x.toml", text, path) == f"x.toml:{line}"


VALUES = st.sampled_from(
    ["1", "'a = 1'", '"]"', "[\n1,\n[2]]", "'''\nkey0 = 1\n'''", '"""a\\"""\n[t0]\n"""', "{ a = [1] }", "1 # = [", "[]"]
)
GAPS = st.sampled_from(["", "\n", "# [t9]\n", "  \n\n"])


@given(st.lists(st.tuples(GAPS, VALUES, st.booleans()), min_size=1, max_size=8))
def test_every_key_of_any_file_is_found_on_its_line(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, str, bool]]
) -> None:
    text = ""
    table: tuple[str, ...] = ()
    lines: dict[tuple[str, ...], int] = {}
    for number, (gap, value, header) in enumerate(parts):
        text += gap
        if header:
            table = (f"t{number}",)
            lines[table] = text.count("\n") + 1
            text += f"[t{number}]\n"
        lines[*table, f"key{number}"] = text.count("\n") + 1
        text += f"key{number} = {value}\n"
    file = tmp_path_factory.getbasetemp() / "x.toml"
    assert {path: located(file, text, path) for path in lines} == {path: f"x.toml:{n}" for path, n in lines.items()}


def located(file: Path, text: str, path: tuple[str, ...]) -> str:
    file.write_bytes(text.encode())
    document = read_document(file, file.name)
    assert document is not None
    return document.at(*path)


# What comes of it


def test_a_server_of_ones_own_starts_from_a_known_one(user: User) -> None:
    user.says("server = 'mine'\n[servers.mine]\nlike = 'pyright'\nsuffixes = ['.py']\n")
    server = choose_server(user.settings())
    assert isinstance(server, Server)
    assert (server.name, server.suffixes, server.runs_python) == ("mine", (".py",), True)
    assert choose_server(user.settings(server="ty")).name == "ty"


def test_a_recording_stands_in_for_a_server(user: User) -> None:
    user.says("server = 'past'\n[servers.past]\nkind = 'replay'\nfile = 'run.jsonl'\n")
    assert choose_server(user.settings()) == ReplayServer("past", user.file.parent / "run.jsonl")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[servers.mine]\n", ":1: servers.mine needs a command, or a known server that it is `like`"),
        ("[servers.mine]\nlike = 'tyy'", ":2: servers.mine.like: no known server is called 'tyy'; did you mean ty?"),
        ("[servers.min]\nlike = 'ty'", "no language server is called 'mine'; did you mean min?"),
        ("", "no language server is called 'mine'"),
        ("[servers.mine]\nkind = 'replay'", ":1: servers.mine has no recording: add `file`"),
        (
            "[servers.mine]\nkind = 'replya'",
            ":2: servers.mine.kind: 'replya' is not one of replay; did you mean replay?",
        ),
        (
            "[servers.mine]\nkind = 'replay'\ncommand = ['x']",
            ":3: servers.mine.command is not known; it may be kind, f",
        ),
    ],
)
def test_a_server_that_cannot_be_is_told(user: User, text: str, complaint: str) -> None:
    user.says(text)
    with pytest.raises(ConfigError) as raised:
        choose_server(user.settings(server="mine"))
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        ("", "hybird", "no scorer is called 'hybird'; did you mean hybrid?"),
        ("", "model", "the scorer model has no address: add `url` to [scorers.model] or set TIDEPOOL_MODEL_URL"),
        ("", "hybrid", "the scorer model has no address"),
        ("", "replay", "add `file` to [scorers.replay] or set TIDEPOOL_REPLAY_FILE"),
        ("[scorers.lab]\nkind = 'model'", "lab", "the scorer lab has no address: add `url` to [scorers.lab]"),
        (
            "[scorers.lab]\nkind = 'modle'",
            "lab",
            ":1: lab is of no kind that is installed, 'modle'; did you mean model",
        ),
        ("[scorers.lab]\nurl = 'http://x'", "lab", ':1: scorers.lab has no kind: add kind = "model", or another'),
        ("[scorers.modle]\nurl = 'http://x'", "modle", ":1: scorers.modle has no kind: did you mean model?"),
        (
            "[scorers.hybrid]\nmodel = 'modl'",
            "hybrid",
            ":1: scorers.hybrid.model: 'modl' is no scorer of kind model; did",
        ),
        ("[scorers.hybrid]\nmodel = 'replay'", "hybrid", "'replay' is no scorer of kind model"),
        (
            "[scorers.model]\nurl = 'http://x'\n[scorers.hybrid]\nfallback = 'heurstic'",
            "hybrid",
            ":3: no scorer is called 'heurstic'; did you mean heuristic?",
        ),
        ("[scorers.hybrid]\nfallback = 'hybrid'", "hybrid", ":1: hybrid falls back to itself in the end"),
        (
            "[scorers.a]\nkind='hybrid'\nfallback='b'\n[scorers.b]\nkind='hybrid'\nfallback='a'",
            "a",
            ":4: a falls back to itself in the end: let one of them fall back to heuristic",
        ),
        (
            "[scorers.model]\nurl='http://x'\ntoken_env='NOT_SET'",
            "model",
            ":1: model needs the token in NOT_SET, which",
        ),
        (
            "[scorers.model]\nurl='http://x'\ntoken_file='gone'",
            "model",
            "gone (No such file or directory): name a file",
        ),
        ("[scorers.model]\nurl='http://x'\ntoken_file='a'\ntoken_env='B'", "model", "both token_env and token_file"),
        (
            "[scorers.model]\nurl='http://x'\ntoken_env='TWO_WORDS'",
            "model",
            "TWO_WORDS holds no token: it is one line of v",
        ),
        ("[scorers.model]\nurl='http://x'\ntoken_file='/dev/zero'", "model", "read from /dev/zero"),
    ],
)
def test_a_scorer_that_cannot_be_is_told_before_anything_starts(
    user: User, text: str, name: str, complaint: str
) -> None:
    user.says(text)
    with pytest.raises(ConfigError) as raised:
        check_scorer(name, user.settings({"TWO_WORDS": "two words"}))
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://x/?a=1",
        "http://x#a",
        "http://me@x",
        "http://256.1.1.1",
        "http://[::1]x",
        "http://[::g]",
        "http://xn--",
        "http://x/score/",
        "http://",
        "ftp://x",
    ],
)
def test_an_address_is_refused_where_it_is_configured_as_where_it_is_asked(user: User, url: str) -> None:
    async def opened() -> None:
        async with model.open_model(url):
            pass

    user.says(f"[scorers.model]\nurl = '{url}'\n")
    with pytest.raises(ConfigError, match=r":2: scorers\.model\.url: "):
        user.settings()
    with pytest.raises(ConfigError, match="the model's address"):
        asyncio.run(opened())


@pytest.mark.parametrize("url", ["http://x:0", "http://x:65536", "http://a b", "http://x/\t"])
def test_an_address_that_nothing_can_be_at_is_refused(user: User, url: str) -> None:
    with pytest.raises(ConfigError, match="TIDEPOOL_MODEL_URL: "):
        user.settings({"TIDEPOOL_MODEL_URL": url})


@pytest.mark.parametrize("length", [16_384, 16_385])
def test_a_token_is_read_up_to_a_bound(user: User, length: int) -> None:
    file = user.folder / "token"
    file.write_text("x" * length)
    if length <= tokens.MOST_BYTES:
        assert token_in(file) == "x" * length
    else:
        with pytest.raises(ConfigError, match="holds no token: it is one line"):
            token_in(file)


@pytest.mark.parametrize(
    "url", ["http://x", "https://a-b.c_d:1/e/", "http://[::1]:80", "http://xn--bcher-kva.example", "http://127.0.0.1:"]
)
def test_an_address_that_can_be_asked_is_taken(user: User, url: str) -> None:
    async def opened() -> None:
        async with model.open_model(url):
            pass

    assert user.settings({"TIDEPOOL_MODEL_URL": url}).origins["scorers", "model", "url"] == "TIDEPOOL_MODEL_URL"
    asyncio.run(opened())


def test_the_file_that_chose_a_scorer_is_named(user: User) -> None:
    user.says("\nscorer = 'hybird'")
    found = user.settings()
    with pytest.raises(ConfigError, match=r"tidepool.toml:2: no scorer is called 'hybird'"):
        check_scorer(found.scorer, found)
    with pytest.raises(ConfigError, match=r"^no scorer is called 'modell'"):
        check_scorer("modell", found)


def test_a_chain_of_fallbacks_is_followed_to_its_end(user: User) -> None:
    user.says(
        "[scorers.model]\nurl='http://127.0.0.1:1'\n[scorers.b]\nkind='hybrid'\n[scorers.a]\nkind='hybrid'\nfallback='b'\n"
    )
    rubric = rate(user.settings(), "a")
    assert rubric.reasoning.count("by the fallback") == 2


def rate(found: Settings, name: str) -> Rubric:
    async def asked() -> Rubric:
        async with open_scorer(name, found) as scorer:
            return await run_async(ASKED, lift(scorer))

    return asyncio.run(asked())


EXPECTED = asyncio.run(run_async(ASKED, heuristic()))


@contextmanager
def serving(**variables: str) -> Iterator[str]:
    """The address of a scoring server, in a process of its own."""
    command = [sys.executable, "-m", "interpreters.edge.tidepool_cli", "serve", "--port", "0"]
    environ = {**os.environ, "XDG_CONFIG_HOME": "/nowhere", **variables}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environ, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        try:
            yield json.loads(server.stderr.readline())["address"]
        finally:
            server.terminate()
            server.communicate(timeout=20)


def test_each_built_in_scorer_is_one_word(user: User) -> None:
    with serving() as address:
        for name in ("heuristic", "model", "hybrid"):
            user.says(f"scorer = '{name}'\n[scorers.model]\nurl = '{address}'\n")
            found = user.settings()
            assert rate(found, found.scorer) == EXPECTED


@pytest.mark.parametrize("where", ["token_env", "token_file", "the usual variable"])
def test_a_token_is_sent_from_where_the_user_says_and_never_shown(user: User, where: str) -> None:
    (user.file.parent / "token").write_text("open-sesame\n")
    line = {"token_env": "token_env = 'MINE'", "token_file": "token_file = 'token'"}.get(where, "")
    variable = {"token_env": "MINE", "the usual variable": "TIDEPOOL_MODEL_TOKEN"}.get(where, "OTHER")
    with serving(TIDEPOOL_TOKEN="open-sesame") as address:
        user.says(f"[scorers.model]\nurl = '{address}'\n{line}\n")
        found = user.settings({variable: "open-sesame"})
        assert rate(found, "model") == EXPECTED
        assert "open-sesame" not in f"{found!r} {overview(found)}"
        if where != "token_file":
            user.says(f"[scorers.model]\nurl = '{address}'\n")
            with pytest.raises(ModelFailure, match="none was sent: set TIDEPOOL_MODEL_TOKEN, or add token_env"):
                rate(user.settings(), "model")
        if where == "token_env":
            user.says(f"[scorers.model]\nurl = '{address}'\n{line}\n")
            with pytest.raises(ModelFailure, match="does not accept the token: set MINE to the right one"):
                rate(user.settings({variable: "close-sesame"}), "model")


def test_the_usual_token_goes_to_the_built_in_model_alone(user: User) -> None:
    with serving(TIDEPOOL_TOKEN="open-sesame") as address:
        user.says(f"[scorers.lab]\nkind = 'model'\nurl = '{address}'\n")
        with pytest.raises(ModelFailure, match="token"):
            rate(user.settings({"TIDEPOOL_MODEL_TOKEN": "open-sesame"}), "lab")


def test_whoever_wants_to_know_is_told_why_the_fallback_rated(user: User) -> None:
    told: list[ModelFailure] = []

    async def asked() -> None:
        found = user.settings({"TIDEPOOL_MODEL_URL": "http://127.0.0.1:1"})
        async with open_scorer("hybrid", found, tell=told.append) as scorer:
            await run_async(ASKED, lift(scorer))

    asyncio.run(asked())
    assert [failure.location for failure in told] == ["prices.py:3"]


def test_a_token_file_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="it is no regular file"):
        token_in(pipe)


def test_the_overview_can_be_read_back(user: User) -> None:
    user.says("budget = 3\nserver='own'\n[servers.own]\ncommand=['x']\n[scorers.'a b']\nkind='replay'\nfile='tape'\n")
    first = overview(user.settings({"TIDEPOOL_MODEL_URL": "http://host"}))
    assert f"budget = 3  # {user.file}:1\n" in first
    assert 'url = "http://host"  # TIDEPOOL_MODEL_URL\n' in first
    user.says(first)
    found = user.settings()
    assert (found.budget, found.servers["own"]["command"]) == (3, ("x",))
    assert [line.partition("  # ")[0] for line in overview(found).splitlines()] == [
        line.partition("  # ")[0] for line in first.splitlines()
    ]


def test_the_command_shows_the_overview_and_what_was_passed_over(user: User) -> None:
    user.says("budget = 3\n")
    user.codebase_says('scorer = "model"\n')
    environ = {**os.environ, "XDG_CONFIG_HOME": str(user.folder / "config"), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "interpreters.edge.tidepool_cli", "config", "--root"]
    shown = subprocess.run(
        [*command, str(user.root)], env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (shown.returncode, shown.stdout) == (0, overview(user.settings()))
    assert "tidepool.toml:1" in shown.stderr and "scorer" in shown.stderr
    nowhere = subprocess.run([*command, "nowhere"], env=environ, capture_output=True, timeout=60, check=False)
    assert (nowhere.returncode, nowhere.stderr) == (2, b"tidepool config: nowhere is no folder: name one with --root\n")


# The tables agree with what they are about


@pytest.mark.parametrize("kind", BuiltIn)
def test_the_keys_of_a_kind_are_the_fields_of_its_scorers(user: User, kind: BuiltIn) -> None:
    fields = [field.name for field in attrs.fields(type(user.settings().scorers[kind]))]
    assert fields == ["name", "said", *(key.name for key in keys_of(kind))]


def test_the_defaults_are_those_of_the_interpreters() -> None:
    defaults = {key.name: key.default for key in (*keys.MODEL, *keys.HYBRID)}
    assert defaults["nodes_per_request"] == keys.MOST_NODES_PER_REQUEST == model.MAX_NODES_PER_REQUEST
    assert defaults["requests_in_flight"] == model.REQUESTS_IN_FLIGHT
    assert defaults["request_timeout_s"] == model.REQUEST_TIMEOUT_S
    assert defaults["total_timeout_s"] == model.TOTAL_TIMEOUT_S
    assert defaults["attempts"] == model.ATTEMPTS
    assert (defaults["failures"], defaults["cool_down_s"]) == (breaker.FAILURES, breaker.COOL_DOWN_S)


def test_every_default_is_what_its_key_may_be() -> None:
    for key in (*keys.SETTINGS, *keys.MODEL, *keys.HYBRID):
        if key.default is not None:
            assert key.kind.accept(key.default) == key.default


def test_the_page_lists_every_key_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    tables = (keys.SETTINGS, keys.MODEL, keys.HYBRID, keys.LEARNED, keys.REPLAY, keys.FUNCTIONGEMMA, keys.SERVER)
    assert rows == [row_of(key, first=table is keys.SETTINGS) for table in tables for key in table]


def row_of(key: keys.Key, *, first: bool) -> str:
    """A key's row on the page."""
    allowed = key.kind.allowed
    if not first:
        shown = "" if key.default is None else f" ({json.dumps(key.default)})"
        return f"| `{key.name}` | {key.says}{shown} | {allowed} |"
    default = "" if key.default is None else f"`{json.dumps(key.default)}`"
    bounds = key.for_codebase
    codebase = "" if bounds is None else "yes" if bounds == keys.ANYTHING else f"{bounds[0]:g} to {bounds[1]:g}"
    return f"| `{key.name}` | {key.says} | {allowed} | {default} | `{key.flag}` | {codebase} |"
