"""``python -m fastgrad demo | bench | info``."""

import argparse
import os
import sys

COMMANDS = {
    "demo": "fit a model to real data, each step of autograd shown on the way",
    "bench": "time operations beside the other gradient libraries installed here",
    "info": "print versions, the backend in use and what it found",
}

EPILOG = """\
examples:
  python -m fastgrad demo                   the lesson, from the first gradient to the fitted model
  python -m fastgrad bench                  a minute of measurements
  python -m fastgrad info                   what to put into a bug report

python -m fastgrad COMMAND --help says what a command takes.
"""


def main(argv=None):
    """Run one command; the process's exit status."""
    from importlib import import_module

    from ._cli import Failure

    parser = argparse.ArgumentParser(
        prog="python -m fastgrad",
        description="fastgrad: gradients of NumPy programs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    argv = sys.argv[1:] if argv is None else argv
    for name, summary in COMMANDS.items():
        if name in argv[:1]:  # only the command asked for is imported
            module = import_module(f"._cli.{name}", __package__)
            command = commands.add_parser(
                name,
                help=summary,
                description=module.__doc__,
                epilog=module.EPILOG,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            module.add_arguments(command)
            command.set_defaults(run=module.run)
        else:
            commands.add_parser(name, help=summary)
    options = parser.parse_args(argv)
    try:
        return options.run(options) or 0
    except Failure as failure:
        print(f"fastgrad {options.command}: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough; the interpreter still flushes standard output at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"\nfastgrad {options.command}: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
