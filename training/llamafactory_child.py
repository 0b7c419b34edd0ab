"""``llamafactory-cli`` where torchaudio cannot be loaded.

``python -m training.llamafactory_child``.
"""

from training.torchaudio_stub import make_torchaudio_importable

if __name__ == "__main__":
    make_torchaudio_importable()
    from llamafactory.cli import main

    main()
