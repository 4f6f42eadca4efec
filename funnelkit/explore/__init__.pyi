from .panels import cascade_panel as cascade_panel
from .panels import loop_panel as loop_panel
from .panels import map_panel as map_panel
from .panels_funnel import allocator_panel as allocator_panel
from .panels_funnel import explorer_panel as explorer_panel
from .panels_funnel import sample_panel as sample_panel
from .widgets import what_if_panel as what_if_panel
