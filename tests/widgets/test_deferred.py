"""A form reaches the page when it is shown, once and as it is then."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import toolkit as tk
from toolkit.forms.parts import guarded, parts

FORMS: dict[str, Callable[[tk.ProfileTable], Any]] = {
    "editor": tk.ProfileEditor,
    "import": tk.CsvImport,
    "users": tk.Users,
    "lab": lambda _: tk.OperatorLab(),
    "workbench": tk.workbench,
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, set[str]]]:
    """What goes to the page: kind of message, widget, traits."""
    log: list[tuple[str, str, set[str]]] = []

    class Comm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
            log.append((msg_type, self.comm_id, set((data or {}).get("state", {}))))

    monkeypatch.setattr(comm, "create_comm", Comm)
    return log


@pytest.fixture
def shop() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set("u1", {"$name": "Ann", "plan": "pro", "tags": ["a"]})
    return profiles


@pytest.mark.parametrize("form", FORMS)
def test_a_form_sends_each_widget_once_when_it_is_shown(
    form: str, shop: tk.ProfileTable, sent: list[tuple[str, str, set[str]]]
) -> None:
    shown = FORMS[form](shop)
    before = len(sent)
    view = shown._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]
    opened = [widget for kind, widget, _ in sent if kind == "comm_open"]
    assert opened[-1] == view["model_id"]
    assert set(Counter(opened).values()) == {1}
    # What is not ours is sent at once: the style of a button, its width.
    assert before < len(sent) / 2
    changed = {trait for kind, _, traits in sent if kind == "comm_msg" for trait in traits}
    assert changed <= {"description_width"}


def test_a_change_after_that_is_sent(sent: list[tuple[str, str, set[str]]]) -> None:
    field = parts.text("Name")
    box = guarded.Box([field])
    field.value = "before"
    assert box._repr_mimebundle_() is not None
    assert not [kind for kind, *_ in sent if kind == "comm_msg"]
    field.value = "after"
    assert sent[-1][2] == {"value"}
    box.children = [field, parts.text("Age")]
    kinds = [kind for kind, *_ in sent]
    assert kinds[-1] == "comm_msg"
    assert kinds[-2] == "comm_open", "the page has to know the part before the box that holds it"


def test_a_closed_widget_is_not_sent_again(sent: list[tuple[str, str, set[str]]]) -> None:
    field = parts.text("Name")
    assert field._repr_mimebundle_() is not None
    field.close()
    so_far = len(sent)
    field.open()
    assert len(sent) == so_far
    with pytest.raises(AttributeError):
        _ = field.model_id


def test_a_form_that_nobody_shows_is_let_go(sent: object) -> None:
    gc.collect()
    before = sum(isinstance(each, guarded.Guarded) for each in gc.get_objects())
    for _ in range(5):
        guarded.Box([parts.text("Name"), guarded.VBox([parts.text("Age")])])
    gc.collect()
    assert sum(isinstance(each, guarded.Guarded) for each in gc.get_objects()) == before
