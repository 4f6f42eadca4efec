from .describe import list_text as list_text
from .describe import model_text as model_text
from .funnel import CATALOG as CATALOG
from .funnel import Funnel as Funnel
from .funnel import catalog as catalog
from .funnel import custom as custom
from .funnel import funnel as funnel
from .funnel import names as names
