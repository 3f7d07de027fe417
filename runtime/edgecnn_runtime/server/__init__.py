"""The HTTP server of one model: `edgecnn serve`. It needs the extra `serve`.

    serving     from a model file and an address to a running server; begin here
    app         the routes
    access, limits, problem     who may ask, how much, and how a refusal is answered
    uploads     the images of a request
    classify    POST /v1/classify
    pool        the interpreters
    live, events    the camera, and its answers as a stream
    page, openapi, metrics      what else the server answers
    protocol    a limit on the time that a client takes for its request

It is built on Starlette and uvicorn: they are widely deployed (FastAPI is built on them), pure Python, and together
smaller than one megabyte. `import edgecnn_runtime` imports nothing of it.
"""
