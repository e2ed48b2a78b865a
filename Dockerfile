# The newest tested set of packages, on CPU or GPU; on Kaggle the image is there already.
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /kit
COPY . .
RUN pip install --no-cache-dir uv && uv pip install --system --editable . --constraint constraints.txt
ENTRYPOINT ["kit"]
