"""``python -m training <verb>``."""

import typer

from training.commands import export_command, roles_command, run_command, verifier_command

app = typer.Typer(help="Train LoRA adapters with LLaMA-Factory, and the verifier of answers.", no_args_is_help=True)
app.command("run")(run_command)
app.command("export")(export_command)
app.command("verifier")(verifier_command)
app.command("roles")(roles_command)


if __name__ == "__main__":
    app()
