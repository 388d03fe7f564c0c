from . import limits as limits
from .by_message import plan as plan
from .columnar import (
    ColumnarUpdates as ColumnarUpdates,
    Updates as Updates,
    by_table as by_table,
    keys_of as keys_of,
    of_profile as of_profile,
)
from .edits import Edit as Edit
from .frame_plan import plan_frame as plan_frame
from .frames import read_frame as read_frame, zone_notes as zone_notes
from .messages import (
    KNOWN_FIELDS as KNOWN_FIELDS,
    USERS as USERS,
    Locator as Locator,
    Message as Message,
    hidden_properties as hidden_properties,
    is_meta as is_meta,
    message_of_log as message_of_log,
    operators_of as operators_of,
    parse_message as parse_message,
)
from .names import name_refusal as name_refusal
from .operators import (
    OPERATORS as OPERATORS,
    Profile as Profile,
    add as add,
    append as append,
    apply as apply,
    delete as delete,
    is_number as is_number,
    remove as remove,
    set as set,
    set_once as set_once,
    union as union,
    unset as unset,
)
from .outcome import (
    Indexed as Indexed,
    Outcome as Outcome,
    Planned as Planned,
)
from .rejection import (
    CellRejections as CellRejections,
    Rejection as Rejection,
    rejection_frame as rejection_frame,
    rejections_of as rejections_of,
)
from .results import (
    OVERWRITTEN as OVERWRITTEN,
    ApplyResult as ApplyResult,
    ChangeReport as ChangeReport,
    ColumnsResult as ColumnsResult,
)
from .rules import RULES as RULES, applied_rules as applied_rules, headline as headline
from .state import Change as Change, Row as Row, State as State, settle as settle
