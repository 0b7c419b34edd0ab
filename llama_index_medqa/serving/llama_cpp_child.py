"""The child process of the llama.cpp server.

:class:`~llama_index_medqa.serving.llama_cpp_process.LlamaCppServer` starts it; it needs xllamacpp only.

Its one argument is a JSON object with ``model_path``, ``model``, ``adapter_path`` (or null), ``context_window`` (tokens
a slot), ``parallel`` (slots) and ``threads`` (or null). It writes one line with the server's address to standard
output once the model is loaded, and exits when its standard input ends: when the parent closes it, or dies.
"""

import json
import os
import sys
import threading
from typing import Any

_PROMPT_CACHE_MIB = 512
"""Most memory for prompts seen before; llama.cpp's own limit of 8 GiB is more than a laptop has to spare."""


def main(settings: dict[str, Any]) -> None:
    """Serve one model on a free loopback port until standard input ends."""
    announcement = os.dup(1)
    # Whatever the library prints belongs to the log, which is where standard error goes.
    os.dup2(2, 1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    import xllamacpp  # only now: what it prints must go to the log, and the parent may die meanwhile

    parameters = _parameters(xllamacpp.CommonParams(), settings)
    if settings["adapter_path"]:
        # Loaded and not applied: each request says whether it wants the adapter.
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(settings["adapter_path"], 1.0)]
        parameters.lora_init_without_apply = True
        # What is kept of earlier prompts was computed with or without the adapter, and llama.cpp does not look which.
        parameters.cache_ram_mib = 0
    server = xllamacpp.Server(parameters)
    os.write(announcement, f"{server.listening_address}\n".encode())
    threading.Event().wait()


def _parameters(parameters: Any, settings: dict[str, Any]) -> Any:
    parameters.model.path = settings["model_path"]
    parameters.model_alias = {settings["model"]}
    # llama.cpp divides this among the slots.
    parameters.n_ctx = settings["context_window"] * settings["parallel"]
    parameters.n_parallel = settings["parallel"]
    if settings["threads"]:
        parameters.cpuparams.n_threads = settings["threads"]
        parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.cache_ram_mib = _PROMPT_CACHE_MIB
    parameters.offline = True
    # Nothing but the protocol: no pages, no view of other prompts, no answers to a website in a browser.
    parameters.ui = False
    parameters.cors_origins = "localhost"
    parameters.cors_credentials = False
    parameters.endpoint_slots = False
    return parameters


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
