from .csv.form import CsvImport as CsvImport
from .editor.editor import ProfileEditor as ProfileEditor
from .lab.form import OperatorLab as OperatorLab
from .live import LiveView as LiveView
from .report.form import ReportBuilder as ReportBuilder
from .users.form import Users as Users
from .workbench import Workbench as Workbench, workbench as workbench
