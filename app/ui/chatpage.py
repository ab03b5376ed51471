"""The chat page: what the user does becomes calls of the ChatJob, and what it says is shown."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.core import settings as s
from app.core.chat import ChatMessage, Conversation, OpenConversation, Role
from app.core.errors import AppError
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase
from app.jobs.tasks import TaskThread
from app.ui import links
from app.ui.announce import announce_answer
from app.ui.chatcolumn import ChatColumn, View
from app.ui.conversations import ConversationPanel
from app.ui.deletion import ask_to_delete
from app.ui.figures import FigureFeed, Figures
from app.ui.firstside import FirstStartSide
from app.ui.hardwarecard import HardwareCard
from app.ui.hardwarelook import HardwareLook
from app.ui.inspector import Inspector
from app.ui.memory import first_seen
from app.ui.models import Models
from app.ui.panels import Panels, SidePanel
from app.ui.prefs import Prefs
from app.ui.theme import tokens
