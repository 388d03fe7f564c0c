from .csv.arrow_stream import parquet_frame as parquet_frame
from .csv.defuse import csv_of as csv_of
from .csv.dialect import delimiter_name as delimiter_name
from .csv.export import CsvLossWarning as CsvLossWarning, write_csv as write_csv
from .csv.file import CsvFile as CsvFile
from .csv.importing import import_csv as import_csv, preview_csv as preview_csv
from .csv.mapping import (
    DISTINCT_ID as DISTINCT_ID,
    EMAIL as EMAIL,
    TIME as TIME,
    meant_name as meant_name,
    property_refusal as property_refusal,
)
from .csv.report import (
    CsvColumn as CsvColumn,
    CsvPreview as CsvPreview,
    ImportReport as ImportReport,
    left_out as left_out,
    rejected_csv as rejected_csv,
    sentence as sentence,
)
from .csv.source import CsvSource as CsvSource
from .csv.types import COLUMN_TYPES as COLUMN_TYPES, ColumnType as ColumnType
from .files.formats import (
    FORMATS as FORMATS,
    all_endings as all_endings,
    csv_table as csv_table,
    format_of as format_of,
    table_endings as table_endings,
)
from .files.frame import import_frame as import_frame
from .files.jsonlines import (
    Messages as Messages,
    read_messages as read_messages,
    write_messages as write_messages,
)
from .files.people import read_people as read_people, write_people as write_people
from .files.whole_file import write_whole as write_whole
from .geo.database import GeoDatabase as GeoDatabase
from .live.consumer import Consumer as Consumer, consumer as consumer
from .live.receiver import (
    Arrival as Arrival,
    ArrivalCounts as ArrivalCounts,
    Receiver as Receiver,
    note_words as note_words,
)
from .live.segment import GROUP_KEY as GROUP_KEY
from .live.server import Server as Server, serve as serve
from .live.serving import serve_until_stopped as serve_until_stopped
from .sample import sample_files as sample_files
