"""``tusk lsp`` as an editor starts it: a process, spoken to over its pipes."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from tusk_platform.compile import compile_text

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = (ROOT / "platform.tsk").read_text(encoding="utf-8")
URI = (ROOT / "platform.tsk").as_uri()
TUSK = str(Path(sys.executable).parent / "tusk")
# The platform's own config with seven mistakes: what is written there, and what is written instead.
MISTAKES = (
    ('source = "kafka"', 'source = "kafak"'),
    ('window_size = "5 minutes"', "window_size = 5"),
    ('"count", "avg"', '"cuont", "avg"'),
    ("parallelism = 4", 'parallelism = "4"'),
    ("update_frequency", "update_frequenzy"),
    ('type = "counter"', "type = counter"),
    ("live_dashboards = {", "live_dashbords = {"),
)


class Editor:
    """An editor with the server it started."""

    def __init__(self) -> None:
        self.client = LanguageClient("test", "1")
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.version = 0

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator] # the library has none
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

    async def start(self) -> types.InitializeResult:
        """Start the server and shake hands."""
        await self.client.start_io(TUSK, "lsp", "--stdio")
        snippets = types.ClientCompletionItemOptions(snippet_support=True)
        completion = types.CompletionClientCapabilities(completion_item=snippets)
        capabilities = types.ClientCapabilities(
            text_document=types.TextDocumentClientCapabilities(completion=completion)
        )
        answer = await self.client.initialize_async(types.InitializeParams(capabilities))
        self.client.initialized(types.InitializedParams())
        return answer

    async def open(self, text: str) -> list[types.Diagnostic]:
        """Open the file with a text; what the server says of it."""
        self.version += 1
        item = types.TextDocumentItem(URI, "tusk", self.version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.said()

    async def said(self) -> list[types.Diagnostic]:
        """What the server says of the text as it is now."""
        while (published := await self.published.get()).version != self.version:
            pass
        return list(published.diagnostics)

    def change(self, text: str) -> None:
        """Another text for the file."""
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, URI),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    async def stop(self) -> int | None:
        """Ask the server to end, and tell it to; its exit code."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        process = self.client._server
        assert process
        code = await asyncio.wait_for(process.wait(), 20)
        await self.client.stop()  # type: ignore[no-untyped-call] # the library has no types there
        return code


Scene = Callable[[Callable[[Editor], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Plays scenes with an editor and its server, which they share as the files of one window do."""
    editor = Editor()
    with asyncio.Runner() as runner:
        runner.run(editor.start())
        yield lambda act: runner.run(asyncio.wait_for(act(editor), 60))
        assert runner.run(editor.stop()) == 0


def position(text: str, marked: str) -> tuple[str, types.Position]:
    """The text, and the position of the mark in a part of it."""
    plain = marked.replace("|", "")
    start = text.index(plain) + marked.index("|")
    return text, types.Position(text.count("\n", 0, start), start - (text.rfind("\n", 0, start) + 1))


DOCUMENT = types.TextDocumentIdentifier(URI)


def test_seven_mistakes_are_seven_diagnostics_where_check_says(scene: Scene) -> None:
    text = PLATFORM
    for right, wrong in MISTAKES:
        assert right in text
        text = text.replace(right, wrong, 1)
    expected = compile_text(text, "platform.tsk").problems

    async def act(editor: Editor) -> None:
        found = await editor.open(text)

        starts = [(d.range.start.line + 1, d.range.start.character + 1) for d in found]
        ends = [(d.range.end.line + 1, d.range.end.character + 1) for d in found]
        assert starts == [(p.span.line, p.span.column) for p in expected]
        assert ends == [(p.span.line, p.span.column + p.span.length) for p in expected]
        errors = [d for d in found if d.severity == types.DiagnosticSeverity.Error]
        assert len(errors) == 7
        assert "did you mean `kafka`?" in errors[0].message
        assert {d.message.split("\n")[0] for d in found} == {p.message for p in expected}

    scene(act)


def test_what_is_typed_is_checked_once_it_rests(scene: Scene) -> None:
    async def act(editor: Editor) -> None:
        assert await editor.open("demo = true\n") == []
        for typed in ("demo = f", "demo = fa", 'demo = "fa"\n'):
            editor.change(typed)

        published = await editor.published.get()

        assert published.version == editor.version, "only the last text is checked"
        assert published.diagnostics[0].message.startswith("expected `true` or `false`")

    scene(act)


def test_characters_of_two_units_move_no_range(scene: Scene) -> None:
    async def act(editor: Editor) -> None:
        zone, demo = await editor.open('timezone = "🦣" demo = 5\n')

        assert (zone.range.start.character, zone.range.end.character) == (11, 15)
        assert (demo.range.start.character, demo.range.end.character) == (23, 24)

    scene(act)


def test_completion_hover_and_definition_are_answered(scene: Scene) -> None:
    async def act(editor: Editor) -> None:
        await editor.open(PLATFORM)
        text, cursor = position(PLATFORM, 'source = "kaf|ka"')
        values = await editor.client.text_document_completion_async(types.CompletionParams(DOCUMENT, cursor))
        assert isinstance(values, types.CompletionList)
        [kafka] = [i for i in values.items if i.label == "kafka"]
        assert isinstance(kafka.text_edit, types.TextEdit)
        assert (kafka.text_edit.new_text, kafka.filter_text) == ('"kafka"', '"kafka"')
        assert kafka.text_edit.range.end.character - kafka.text_edit.range.start.character == len('"kafka"')

        _, cursor = position(PLATFORM, "window_|size")
        explained = await editor.client.text_document_hover_async(types.HoverParams(DOCUMENT, cursor))
        assert explained
        assert isinstance(explained.contents, types.MarkupContent)
        assert "Length of a window." in explained.contents.value

        text, cursor = position(PLATFORM, 'data_source = "user_|metrics"')
        found = await editor.client.text_document_definition_async(types.DefinitionParams(DOCUMENT, cursor))
        assert isinstance(found, types.Location)
        line = text.split("\n")[found.range.start.line]
        assert line[found.range.start.character : found.range.end.character] == "user_metrics"

        outline = await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(DOCUMENT))
        assert outline
        assert [s.name for s in outline][:2] == ["real_time_analytics", "stream_processing"]

    scene(act)


def test_a_half_written_key_is_completed_with_its_example(scene: Scene) -> None:
    text, cursor = position(PLATFORM.replace('topic = "user-events"', "to"), "to|\n")

    async def act(editor: Editor) -> None:
        await editor.open(text)
        keys = await editor.client.text_document_completion_async(types.CompletionParams(DOCUMENT, cursor))

        assert isinstance(keys, types.CompletionList)
        [topic] = [i for i in keys.items if i.label == "topic"]
        assert isinstance(topic.text_edit, types.TextEdit)
        assert topic.text_edit.new_text == 'topic = ${1:"user-events"}'
        assert topic.insert_text_format == types.InsertTextFormat.Snippet

    scene(act)


def test_a_file_is_formatted_and_one_with_mistakes_is_left(scene: Scene) -> None:
    params = types.DocumentFormattingParams(DOCUMENT, types.FormattingOptions(4, insert_spaces=True))

    async def act(editor: Editor) -> None:
        await editor.open("demo:true\n  timezone='UTC'")
        edits = await editor.client.text_document_formatting_async(params)
        assert edits
        assert [e.new_text for e in edits] == ['demo = true\ntimezone = "UTC"\n']
        assert edits[0].range == types.Range(types.Position(0, 0), types.Position(1, 16))

        editor.change("demo = ")
        assert await editor.client.text_document_formatting_async(params) is None

    scene(act)


def test_garbage_does_not_end_the_server(scene: Scene) -> None:
    dice = random.Random(7)

    async def act(editor: Editor) -> None:
        await editor.open("")
        for _ in range(20):
            editor.change("".join(dice.choices("{}[]()\"'=:,;@#/*\n abc1\x00\x0c\u2028🦣", k=200)))
            cursor = types.Position(dice.randrange(20), dice.randrange(60))
            await editor.client.text_document_completion_async(types.CompletionParams(DOCUMENT, cursor))
            await editor.client.text_document_hover_async(types.HoverParams(DOCUMENT, cursor))
            await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(DOCUMENT))
        editor.change("demo = true")

        assert await editor.said() == []

    scene(act)


@pytest.mark.parametrize("sent", [b"", b"what is this\r\n\r\n"])
def test_a_client_that_goes_away_leaves_no_server(sent: bytes) -> None:
    done = subprocess.run([TUSK, "lsp"], input=sent, capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Traceback" not in done.stderr


def test_the_server_says_what_it_can_and_ends_when_told() -> None:
    async def act() -> tuple[types.InitializeResult, int | None]:
        editor = Editor()
        return await editor.start(), await editor.stop()

    answer, code = asyncio.run(act())

    can = answer.capabilities
    assert answer.server_info
    assert (answer.server_info.name, code) == ("tusk", 0)
    assert can.completion_provider
    assert (can.hover_provider, can.definition_provider, can.document_symbol_provider) == (True, True, True)
    assert can.document_formatting_provider
