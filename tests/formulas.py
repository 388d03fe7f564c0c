"""Cells of a notebook in which all that can look like a formula does: every card, every form."""

from __future__ import annotations

# Names, values, IDs and steps that all look like formulas.
DATA = r"""
import tempfile
import warnings
from pathlib import Path
import pandas as pd
import toolkit as tk
from toolkit import event, user
from IPython.display import HTML, display

warnings.simplefilter("ignore")
M = "from $5 to $10"
T = r"\(a_1\) \[b_2\] $$c_3$$ \begin{equation}d\end{equation}"
profiles = tk.ProfileTable()
profiles.set("$1 and $2", {"$name": M, "$email": "a@x.org", M: M, T: T, "plan": M, "tags": [M, T]})
profiles.set("2", {"$name": T, "$email": "A@x.org ", "plan": T, "n": 1, "$transactions": [
    {"$amount": 5, "$time": "2026-01-02", "p": M}]})
frame = pd.DataFrame({
    "event": [M, T, M, T], "distinct_id": ["$1 and $2", "2", "2", "3"],
    "time": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"], utc=True),
    "p": [M, T, M, T],
})
events = tk.Events(frame)
kept = tk.ProfileTable(Path(tempfile.mkdtemp()) / "$a$.db")
with tk.serve(profiles) as server:
    pass
"""

CARDS = r"""
shown = [
    profiles, events, profiles.where(user["plan"] == M),
    tk.import_frame(profiles, pd.DataFrame({"distinct_id": ["1"], "$b": [M]})),
    profiles.apply([{"$distinct_id": "1", "$foo": 1}, {"$distinct_id": "1", "$set": {"$a": M}}]),
    profiles.explain("2", "plan"), profiles.explain("$1 and $2", M),
    tk.preview_csv(f"$distinct_id,{M}\n1,{M}\n".encode()),
    tk.import_csv(profiles, f"$distinct_id,{M}\n9,{M}\n,x\n".encode(), on_error="skip"),
    tk.segmentation(events, profiles, [M, T], by=user["plan"]),
    tk.funnel(events, profiles, [M, T], by="p"), tk.retention(events, profiles, M, by="p"),
    tk.flows(events, profiles, M), tk.lifecycle(events, profiles, M),
    tk.frequency(events, profiles, M), tk.profile_report(profiles, by="plan"),
    tk.cohort(events, profiles, user["plan"] == M, name=M), tk.match(events, profiles),
    tk.revenue(profiles), tk.revenue(profiles, by="plan"), tk.find_duplicates(profiles, M),
    tk.set_where(profiles, user["plan"] == M, {M: T}, dry_run=True),
    profiles.compact(keep=0, dry_run=True), server, kept.check(),
    kept.backup(Path(tempfile.mkdtemp()) / "$b$.db"),
]
for each in shown:
    display(each)
"""

FORMS = r"""
forms = [
    tk.ProfileEditor(profiles, "$1 and $2"), tk.Users(profiles, events), tk.OperatorLab(),
    tk.CsvImport(profiles), tk.ReportBuilder(profiles, events), tk.LiveView(tk.consumer(profiles)),
    tk.workbench(profiles, events),
]
for each in forms:
    display(each)
"""
