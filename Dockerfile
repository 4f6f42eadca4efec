# The command line and the lessons for people who have Docker; everything else is in README.md.
#   docker build -t funnelkit .
#   docker run --rm -v "$PWD:/home/kit/files" funnelkit report --data deals.csv --out reports --pdf
#   docker run --rm -p 127.0.0.1:8888:8888 --entrypoint jupyter funnelkit lab --ip 0.0.0.0 --no-browser /home/kit/lessons
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY funnelkit funnelkit
COPY notebooks notebooks
COPY data data
RUN pip wheel --no-cache-dir --disable-pip-version-check --wheel-dir /wheels --constraint constraints.txt ".[report,sql,zh]"

FROM python:3.13.9-slim-bookworm
# Chromium prints the PDF; the page's fonts are the kit's own.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 kit
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --disable-pip-version-check --no-index --find-links /wheels "funnelkit[report,sql,zh]" \
    && rm -rf /wheels
ENV LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
USER kit
RUN funnelkit lessons student --out /home/kit/lessons && mkdir /home/kit/files
WORKDIR /home/kit/files
EXPOSE 8888
ENTRYPOINT ["funnelkit"]
CMD ["--help"]
