"""The HTTP server of one model: `edgecnn serve`. Needs the extra `serve`; `serving.serve` is the way in.

Starlette and uvicorn, because they are what the field deploys (FastAPI stands on them), are pure Python and together
smaller than one megabyte. Nothing here is imported by `import edgecnn_runtime`.
"""
