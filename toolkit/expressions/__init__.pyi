from .casting import as_datetime as as_datetime
from .cells import NUMBERS as NUMBERS, Cells as Cells, Family as Family, families_of as families_of
from .doubts import (
    is_known as is_known,
    never_true as never_true,
    unknown as unknown,
    user_property as user_property,
)
from .evaluation import evaluate as evaluate, mask_of as mask_of
from .parsing import (
    as_expression as as_expression,
    as_property as as_property,
    parse as parse,
    parse_formula as parse_formula,
)
from .scope import Scope as Scope, SnapshotScope as SnapshotScope, Spread as Spread
from .tree import (
    And as And,
    Comparison as Comparison,
    Expression as Expression,
    Literal as Literal,
    Members as Members,
    Or as Or,
    Property as Property,
    Side as Side,
    Tally as Tally,
    conjuncts as conjuncts,
    event as event,
    group as group,
    group_key_of as group_key_of,
    group_side as group_side,
    literal as literal,
    period as period,
    require_closed as require_closed,
    user as user,
)
