from .backtest import backtest as backtest
from .calibrate import calibrate as calibrate
from .forecast import forecast_open as forecast_open
from .health import health as health
from .target import solve_target as solve_target
from .target_check import check_target as check_target
from .target_check import compare_target_rates as compare_target_rates
