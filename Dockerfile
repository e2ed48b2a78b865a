# The Kaggle image, and what it lacks. On a GPU: --build-arg IMAGE=kaggle-gpu-images
ARG IMAGE=kaggle-images
ARG TAG=v170
FROM gcr.io/${IMAGE}/python:${TAG}
WORKDIR /kit
COPY requirements.txt ./
# All that is there is a constraint: what would replace a package of the image fails instead.
RUN pip list --format=freeze > /tmp/image.txt \
    && pip install --no-cache-dir --requirement requirements.txt --constraint /tmp/image.txt \
    && useradd --create-home --uid 10001 kit \
    && chown kit /kit
COPY --chown=kit . .
RUN pip install --no-cache-dir --no-deps --editable .
USER 10001
ENTRYPOINT ["kit"]
