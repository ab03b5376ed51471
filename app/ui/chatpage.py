"""The chat page: the list, the column and the inspector, and what they do with each other.

What concerns the open conversation is in `app.ui.chatlink`; here is what concerns the page.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.core import settings as s
from app.core.chat import Conversation
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState
from app.jobs.fits import Fits
from app.jobs.summary import SummaryJob
from app.jobs.tasks import TaskThread
from app.jobs.tuning import Tuning
from app.ui.benchmark.link import BenchmarkLink
from app.ui.chatcolumn import ChatColumn, View
from app.ui.chatlink import ChatLink
from app.ui.contextmeter import ContextMeter
from app.ui.conversations import ConversationPanel
from app.ui.editors import hand_over_all
from app.ui.figures import FigureFeed, Figures
from app.ui.firstlink import FirstStartLink
from app.ui.firstside import FirstStartSide
from app.ui.inspector import Inspector
from app.ui.inspectorlink import InspectorLink
from app.ui.memorylink import MemoryLink
from app.ui.models import Models
from app.ui.panels import Panels, SidePanel
from app.ui.prefs import Prefs
from app.ui.questions import ask_to_delete
from app.ui.theme import tokens


class ChatPage(QWidget):
    title_changed = Signal(str)

    def __init__(
        self, chat: ChatJob, prefs: Prefs, models: Models, feed: FigureFeed, tasks: TaskThread
    ) -> None:
        super().__init__()
        self._chat, self._prefs, self._models, self._feed = chat, prefs, models, feed
        self._conversations: tuple[Conversation, ...] | None = None  # None until the store has said
        self._has_room = True
        self.list = ConversationPanel(read_only=chat.read_only)
        self.column = ChatColumn(read_only=chat.read_only)
        self.inspector = Inspector(prefs, read_only=chat.read_only)
        self._list_panel = SidePanel(self.list, tokens()["size"]["conversationList"], at_left=True)
        self._inspector_panel = SidePanel(
            self.inspector, tokens()["size"]["inspector"], at_left=False
        )
        self._list_panel.is_wanted = prefs.get(s.SHOW_LIST)
        self._inspector_panel.is_wanted = prefs.get(s.SHOW_INSPECTOR)
        self.panels = Panels(self._list_panel, self.column, self._inspector_panel)
        self.first = FirstStartLink(chat.engine, tasks, models, lambda: self.fits.speeds, self)
        self._side = FirstStartSide(self.first.cards)
        self.summary = SummaryJob(chat, self)
        self.link = ChatLink(chat, self.summary, self.column, self)
        self.memory = MemoryLink(chat, self.summary, prefs, self.column.transcript, self)
        self.meter = ContextMeter(
            chat, self.summary, prefs, feed, self.inspector.context, self.column.composer, self
        )
        self.fits = Fits(chat, tasks, self)
        self.about = InspectorLink(
            feed, prefs, models, self.fits, tasks, self.inspector, self.column.composer, self
        )
        self.tuning = Tuning(chat, lambda: prefs.get(s.TUNE) != "off", self)
        self.benchmark = BenchmarkLink(chat, tasks, self.inspector.benchmark, self)
        self._lay_out()
        self._connect_chat()
        self._connect_parts()
        self._show_open(None)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.panels, 1)
        row.addWidget(self._side)
        self._side.hide()

    def _connect_chat(self) -> None:
        chat = self._chat
        chat.conversations_changed.connect(self._on_conversations)
        chat.conversation_opened.connect(self._show_open)
        chat.message_added.connect(self._choose_view)
        self._feed.changed.connect(self._on_figures)
        self._models.listed.connect(self._on_models)
        self._models.refused.connect(self.column.model_trouble.show_error)
        self._models.accepted.connect(self.column.model_trouble.hide)
        self.first.look.free_found.connect(self.inspector.memory.show_free)
        self.first.look.examined.connect(self.fits.know)
        self.fits.predicted.connect(self.inspector.memory.show_prediction)

    def _connect_parts(self) -> None:
        bar, column = self.column.bar, self.column
        self.list.new_requested.connect(self.new_conversation)
        self.list.open_requested.connect(self._open)
        self.list.rename_requested.connect(self._chat.rename)
        self.list.delete_requested.connect(self._ask_to_delete)
        bar.list_toggled.connect(self.toggle_list)
        bar.inspector_toggled.connect(self.toggle_inspector)
        bar.new_requested.connect(self.new_conversation)
        bar.renamed.connect(self._rename_open)
        bar.delete_requested.connect(self._delete_open)
        bar.picker.list_requested.connect(self._models.scan)
        bar.picker.chosen.connect(self._models.choose)
        bar.picker.free_requested.connect(self._chat.free_memory)
        column.choose_model.connect(self._choose_another_model)
        column.try_load_again.connect(self._models.try_again)
        column.loading.cancelled.connect(self._chat.engine.cancel_load)
        column.composer.submitted.connect(self._send)
        column.prompts.chosen.connect(self._send)
        column.composer.stop_requested.connect(self.link.stop)
        column.composer.editor.textChanged.connect(self._on_typed)
        self.inspector.system_prompt_edited.connect(self._chat.set_system_prompt)
        self.inspector.reload_requested.connect(self._reload)
        self.inspector.context.summarise_requested.connect(self.memory.summarise)
        self.panels.changed.connect(self._show_panel_buttons)
        self._prefs.changed.connect(self._on_setting)

    # --- what the user does -------------------------------------------------------------------

    def flush(self) -> None:
        """Hand over what has been typed into the panels but not yet taken up."""
        hand_over_all(self.inspector)
        self._prefs.flush()

    def new_conversation(self) -> None:
        if not self._chat.read_only:
            self.flush()
            self._chat.new_conversation()
            self.panels.close_overlays()
            self.column.composer.focus()

    def _open(self, conversation_id: int) -> None:
        self.flush()
        self._chat.open_conversation(conversation_id)
        self.panels.close_overlays()
        self.column.composer.focus()

    def _send(self, text: str) -> None:
        self.flush()
        self.link.send(text)
        self._choose_view()
        self.column.composer.focus()

    def _on_typed(self) -> None:
        if self.column.composer.text.strip():
            self._chat.wake()

    def _reload(self) -> None:
        self.flush()
        self._chat.reload_model()

    def _rename_open(self, title: str) -> None:
        if self._chat.open is not None:
            self._chat.rename(self._chat.open.conversation.id, title)

    def _delete_open(self) -> None:
        if self._chat.open is not None:
            self._ask_to_delete(self._known(self._chat.open.conversation))

    def _ask_to_delete(self, conversation: Conversation) -> None:
        ask_to_delete(
            self, conversation.title, lambda: self._chat.delete_conversation(conversation.id)
        )

    def _choose_another_model(self) -> None:
        if self.column.bar.isVisible():
            self.open_picker()
        else:
            self.column.bar.picker.ask_for_file()

    def open_picker(self) -> None:
        if self.column.bar.isVisible():
            self.column.bar.picker.open_menu()

    def begin_rename(self) -> None:
        """F2: the row of the list that has the focus, else the open conversation."""
        if not self.list.begin_rename():
            self.column.bar.title.begin()

    def toggle_list(self) -> None:
        self.panels.toggle(self._list_panel)
        self._prefs.set(s.SHOW_LIST, self._list_panel.is_wanted)
        if self.panels.is_shown(self._list_panel) and not self._list_panel.is_docked:
            self.list.focus_search()

    def toggle_inspector(self) -> None:
        self.panels.toggle(self._inspector_panel)
        self._prefs.set(s.SHOW_INSPECTOR, self._inspector_panel.is_wanted)

    def find(self) -> None:
        """Ctrl+F: the search field of the list, made visible where it is not."""
        if not self.panels.is_shown(self._list_panel):
            self.toggle_list()
        self.list.focus_search()

    def escape(self) -> bool:
        """Stop the answer, else close an overlay; whether there was something to do."""
        if self.link.is_busy:
            self.link.stop()
            return True
        if self.panels.close_overlays():
            self.column.composer.focus()
            return True
        return False

    def regions(self) -> list[tuple[QWidget, Callable[[], None]]]:
        """The parts F6 goes through, each with what gives it the focus."""
        result: list[tuple[QWidget, Callable[[], None]]] = []
        if self.panels.is_shown(self._list_panel):
            result.append((self.list, self.list.focus_search))
        if self.column.bar.isVisible():
            result.append((self.column.bar, self.column.bar.picker.setFocus))
        result.append((self.column, self.column.composer.focus))
        if self.panels.is_shown(self._inspector_panel):
            result.append((self.inspector, self.inspector.focus_first))
        return result

    # --- what is shown ------------------------------------------------------------------------

    def _on_conversations(self, conversations: tuple[Conversation, ...]) -> None:
        self._conversations = conversations
        self.list.show_conversations(conversations)
        self._show_title()
        self._choose_view()

    def _show_open(self, opened: object) -> None:
        self.list.show_open(self._chat.open.conversation.id if self._chat.open else None)
        self.inspector.show_system_prompt(self._chat.system_prompt)
        self._show_title()
        self._choose_view()

    def _known(self, conversation: Conversation) -> Conversation:
        """The conversation as the list has it: renamed, perhaps, since it was opened."""
        same = (c for c in self._conversations or () if c.id == conversation.id)
        return next(same, conversation)

    def _show_title(self) -> None:
        opened = self._chat.open
        title = self._known(opened.conversation).title if opened else ""
        self.column.bar.show_title(title)
        self.title_changed.emit(title)

    def _choose_view(self, _message: object = None) -> None:
        opened = self._chat.open
        if self.link.is_busy or (opened is not None and opened.messages):
            view = View.TRANSCRIPT
        elif self._conversations is None:
            return
        else:
            view = View.EMPTY if self._conversations else View.FIRST_START
        first = view is View.FIRST_START
        self.column.show_view(view)
        self.panels.set_plain(first)
        self._place_hardware()
        if first:
            self.first.begin()

    def _on_figures(self, figures: Figures) -> None:
        self.inspector.show_figures(figures)
        self._show_model(figures)

    def _show_model(self, figures: Figures) -> None:
        state: EngineState = figures.state
        self.column.show_model(state, figures.model_name)
        path = state.load.path if state.load else ""
        self.column.first_start.show_state(state, self._models.find(path), figures.tps)

    def _on_models(self, models: tuple) -> None:
        self.column.bar.picker.show_models(models)
        self._feed.publish()

    def _on_setting(self, key: str) -> None:
        """A new conversation that is still empty takes up another system prompt."""
        if key == s.IDLE_UNLOAD_MIN.key:
            self._chat.resting.set_idle_time(self._prefs.get(s.IDLE_UNLOAD_MIN))
        if key == s.SYSTEM_PROMPT.key and self._chat.open is None:
            self._chat.set_system_prompt(self._prefs.get(s.SYSTEM_PROMPT))
            self.inspector.show_system_prompt(self._chat.system_prompt)

    # --- room ---------------------------------------------------------------------------------

    def set_room(self, width: float) -> None:
        """`width` of the window, in pixels of the drawings."""
        limits = tokens()["breakpoint"]
        self._has_room = width >= limits["inspectorHides"]
        self.panels.set_room(
            left_fits=width >= limits["conversationListHides"], right_fits=self._has_room
        )
        self._place_hardware()

    def _place_hardware(self) -> None:
        first = self.column.view is View.FIRST_START
        self._side.setVisible(first and self._has_room)
        if self._has_room:
            self._side.take_back(self.first.cards)
        else:
            self.column.first_start.take_side(self.first.cards)

    def _show_panel_buttons(self) -> None:
        bar = self.column.bar
        docked = self._list_panel.is_docked and self.panels.is_shown(self._list_panel)
        bar.list_button.setVisible(not docked)
        bar.inspector_button.setChecked(self.panels.is_shown(self._inspector_panel))

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self._show_panel_buttons()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
