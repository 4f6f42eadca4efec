"""Words that the synthetic data are made of. All companies and people are invented."""

REPS = {
    "Key accounts": ("Li Wei", "Anna Berg", "Zhou Min", "Tom Keller"),
    "Field sales": ("Chen Jing", "Marta Silva", "Wang Lei", "Ivo Novak"),
    "Inside sales": ("Zhao Yan", "Sara Lind", "Sun Tao", "Ben Okoro"),
}
REGIONS = ("North", "East", "South", "West")
# Each reason with its weight in the first and in the second half of the stages.
LOST_REASONS = {
    "No budget": (4, 1),
    "No need": (4, 0.5),
    "No decision": (3, 2),
    "Requirements not met": (1.5, 2),
    "Price": (1, 3),
    "Competitor": (1, 2.5),
    "Project cancelled": (1, 1.5),
}
# {root} is a word of the roots, {other} another one, {trade} a word of TRADES for the account's industry.
PATTERNS = {
    "en": (
        "{root} {trade} Ltd", "{root} {trade}, Inc.", "{root} & {other}", "{root} & Sons {trade}",
        "{root} {trade} GmbH", '{root} "{other}" {trade} Co.', "{root}, {other} & Partners", "{root} {trade} Group",
        "O'{root} {trade}",
    ),
    "zh": (
        "{root}{trade}有限公司", "{root}{trade}集团",
        "{root}{other}{trade}股份有限公司", "{root}（{other}）{trade}有限公司",
    ),
}  # fmt: skip
ROOTS = (
    "Norvell", "Brackwater", "Tessaline", "Quarrendon", "Halvik", "Ostermoor", "Pellingray", "Dunvarro", "Kestwick",
    "Marlenko", "Ravensholt", "Silverbeck", "Torvane", "Ulmstead", "Wexcombe", "Yarrowby", "Zelmark", "Corvatsen",
    "Fennimoor", "Grünfelder", "Iversdal", "Jorvanna", "Lindqvara", "Ambrelle",
)  # fmt: skip
# Per industry: trade words of companies, English and Chinese.
TRADES = {
    "Machinery": {"en": ("Machinery", "Tools", "Drives"), "zh": ("机械", "重工", "传动")},
    "Energy": {"en": ("Power", "Energy", "Turbines"), "zh": ("能源", "电力", "动力")},
    "Chemicals": {"en": ("Chemicals", "Coatings", "Polymers"), "zh": ("化工", "涂料", "新材料")},
    "Electronics": {"en": ("Electronics", "Circuits", "Sensors"), "zh": ("电子", "电路", "传感")},
}
PROJECTS = (
    "Assembly line retrofit", "Control system upgrade", "Compressor station", "Plant extension", "Test bench",
    "Warehouse automation", "Energy monitoring", "Process safety package", "Spare line", "Cooling system",
    "Packaging cell, phase 2", "Quality inspection",
)  # fmt: skip
# Company names of the Chinese edition; its other names are those of data/names.csv.
CHINESE_ROOTS = (
    "云杉", "胡杨", "木棉", "紫荆", "雪松", "香樟", "白桦", "银杏", "丹枫", "晴川",
    "松岭", "青原", "云岭", "南屿", "星原", "望岳", "平野", "朝晖", "春和", "秋实",
)  # fmt: skip
