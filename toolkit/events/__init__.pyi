from .events import AnyEvents as AnyEvents, Events as Events, Named as Named, as_events as as_events
from .groups import GroupTables as GroupTables, KeyedGroups as KeyedGroups
from .join import (
    At as At,
    MatchReport as MatchReport,
    Past as Past,
    Profiles as Profiles,
    as_past as as_past,
    as_snapshot as as_snapshot,
    join as join,
    match as match,
    user_cells as user_cells,
)
