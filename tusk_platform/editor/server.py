"""``tusk lsp``: the language server, over standard input and output. The one file that knows the protocol."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import PositionCodec

from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.completion import Suggestion, completions
from tusk_platform.editor.hover import declaration, hover
from tusk_platform.editor.symbols import Symbol, symbols
from tusk_platform.errors import ConfigError, Problem, Span

if TYPE_CHECKING:
    from pygls.server import ServerErrors

# Seconds without a change after which a file is checked.
PAUSE: Final = 0.2
_KINDS: Final = {
    "section": types.CompletionItemKind.Module,
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.Value,
    "name": types.CompletionItemKind.Reference,
    "operator": types.CompletionItemKind.Function,
}
_SYMBOLS: Final = {
    "section": types.SymbolKind.Module,
    "table": types.SymbolKind.Object,
    "list": types.SymbolKind.Array,
    "text": types.SymbolKind.String,
    "number": types.SymbolKind.Number,
    "boolean": types.SymbolKind.Boolean,
    "operator": types.SymbolKind.Function,
}
_SEVERITIES: Final = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}


class TuskServer(LanguageServer):
    """Files that are open, and what is to be checked soon."""

    def __init__(self) -> None:
        # Whole texts: other ways of counting lines than the protocol's would tear a text apart.
        version = metadata.version("tusk-platform")
        super().__init__("tusk", version, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.asked_to_stop = False
        self._buffers: dict[str, Buffer] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """A mistake of ours goes to the client's log: a window that opens while somebody types helps nobody."""
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"{source.__name__}: {error!r}"))

    def buffer(self, uri: str) -> Buffer:
        """An open file, read anew where its text is another."""
        document = self.workspace.get_text_document(uri)
        fresh, known = Buffer(document.source, document.path), self._buffers.get(uri)
        if known is None or known.source.text != fresh.source.text:
            known = self._buffers[uri] = fresh
        return known

    def forget(self, uri: str) -> None:
        """Let go of a file that was closed, and of what was said of it."""
        self._buffers.pop(uri, None)
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def check_soon(self, uri: str) -> None:
        """Check a file when nobody has changed it for a moment."""
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.get_running_loop().call_later(PAUSE, self.check, uri)

    def check(self, uri: str) -> None:
        """Say what is wrong with a file: what ``tusk check`` says."""
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        buffer, version = self.buffer(uri), self.workspace.get_text_document(uri).version
        found = [self.diagnostic(buffer, problem) for problem in buffer.compiled.problems]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def diagnostic(self, buffer: Buffer, problem: Problem) -> types.Diagnostic:
        """A problem as the protocol has it, its hint on a line of its own."""
        message = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
        return types.Diagnostic(
            self.range_of(buffer, problem.span), message, severity=_SEVERITIES[problem.severity], source="tusk"
        )

    # -- Positions: the protocol counts from 0 in units of the client, the platform from 1 in characters ---------------

    def place(self, buffer: Buffer, position: types.Position) -> tuple[int, int]:
        """Line and column of a position."""
        found = self.codec.position_from_client_units([f"{line}\n" for line in buffer.lines], position)
        return found.line + 1, found.character + 1

    def position(self, buffer: Buffer, offset: int) -> types.Position:
        """The position of an offset."""
        line, column = buffer.line_and_column(offset)
        return self.codec.position_to_client_units(buffer.lines, types.Position(line - 1, column - 1))

    def between(self, buffer: Buffer, start: int, end: int) -> types.Range:
        """The range between two offsets."""
        return types.Range(self.position(buffer, start), self.position(buffer, end))

    def range_of(self, buffer: Buffer, span: Span) -> types.Range:
        """The range of a span."""
        start = buffer.offset(span.line, span.column)
        return self.between(buffer, start, buffer.offset(span.line, span.column + span.length))

    @property
    def codec(self) -> PositionCodec:
        """The units that were agreed on with the client."""
        return self.workspace.position_codec

    # -- Answers -------------------------------------------------------------------------------------------------------

    def item(self, buffer: Buffer, suggestion: Suggestion, order: int) -> types.CompletionItem:
        """A suggestion as the protocol has it; without places to fill in for a client that knows none."""
        capability = self.client_capabilities.text_document and self.client_capabilities.text_document.completion
        snippets = bool(capability and capability.completion_item and capability.completion_item.snippet_support)
        return types.CompletionItem(
            suggestion.label,
            kind=_KINDS[suggestion.kind],
            detail=suggestion.detail or None,
            documentation=_markdown(suggestion.documentation) if suggestion.documentation else None,
            sort_text=f"{order:04}",
            filter_text=suggestion.matched,
            insert_text_mode=types.InsertTextMode.AdjustIndentation,
            insert_text_format=types.InsertTextFormat.Snippet if snippets else types.InsertTextFormat.PlainText,
            text_edit=types.TextEdit(
                self.between(buffer, suggestion.start, suggestion.end),
                suggestion.snippet if snippets else suggestion.text,
            ),
        )

    def symbol(self, buffer: Buffer, symbol: Symbol) -> types.DocumentSymbol:
        """A symbol as the protocol has it."""
        return types.DocumentSymbol(
            symbol.name,
            _SYMBOLS[symbol.kind],
            self.between(buffer, symbol.start, symbol.end),
            self.between(buffer, symbol.name_start, symbol.name_end),
            children=[self.symbol(buffer, child) for child in symbol.children],
        )


def _markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def make_server() -> TuskServer:
    """A server with all its features, not started yet."""
    server = TuskServer()
    _follow(server)
    _answer(server)
    return server


def _follow(server: TuskServer) -> None:
    """What is done when a file is opened, changed, saved or closed."""

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: TuskServer, params: types.DidOpenTextDocumentParams) -> None:
        ls.check(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: TuskServer, params: types.DidChangeTextDocumentParams) -> None:
        ls.check_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(ls: TuskServer, params: types.DidSaveTextDocumentParams) -> None:
        ls.check(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: TuskServer, params: types.DidCloseTextDocumentParams) -> None:
        ls.forget(params.text_document.uri)

    @server.feature(types.SHUTDOWN)
    def stopping(ls: TuskServer, _: None) -> None:
        ls.asked_to_stop = True


def _answer(server: TuskServer) -> None:
    """What is answered to questions about a file."""

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=['"', "=", "@", "."]))
    def complete(ls: TuskServer, params: types.CompletionParams) -> types.CompletionList:
        buffer = ls.buffer(params.text_document.uri)
        found = completions(buffer, *ls.place(buffer, params.position))
        return types.CompletionList(
            is_incomplete=False, items=[ls.item(buffer, suggestion, n) for n, suggestion in enumerate(found)]
        )

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def explain(ls: TuskServer, params: types.HoverParams) -> types.Hover | None:
        buffer = ls.buffer(params.text_document.uri)
        found = hover(buffer, *ls.place(buffer, params.position))
        return types.Hover(_markdown(found.text), ls.between(buffer, found.start, found.end)) if found else None

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def define(ls: TuskServer, params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        buffer = ls.buffer(uri)
        span = declaration(buffer, *ls.place(buffer, params.position))
        return types.Location(uri, ls.range_of(buffer, span)) if span else None

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outline(ls: TuskServer, params: types.DocumentSymbolParams) -> Sequence[types.DocumentSymbol]:
        buffer = ls.buffer(params.text_document.uri)
        return [ls.symbol(buffer, symbol) for symbol in symbols(buffer)]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def format_file(ls: TuskServer, params: types.DocumentFormattingParams) -> Sequence[types.TextEdit] | None:
        from tusk_platform.tsk.formatting import format_text  # noqa: PLC0415 - only needed when somebody asks for it

        buffer = ls.buffer(params.text_document.uri)
        try:
            formatted = format_text(buffer.source.text, buffer.file)
        except ConfigError:
            return None  # what is wrong is said already; a file with mistakes stays as it is
        whole = ls.between(buffer, 0, len(buffer.source.text))
        return [] if formatted == buffer.source.text else [types.TextEdit(whole, formatted)]


def serve() -> int:
    """Serve until the client says it is over; gives the exit code, 0 where it asked to stop before."""
    server = make_server()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        # Whatever else is printed must not come between the messages.
        sys.stdout = sys.stderr
        server.start_io(sys.stdin.buffer, out)
    return 0 if server.asked_to_stop else 1
