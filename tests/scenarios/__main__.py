"""Write outcomes.json: what PyTorch makes of every scenario."""

import json

from scenarios import OUTCOMES, load
from scenarios._both import pytorch, run

if __name__ == "__main__":
    m = pytorch()
    lines = [f"{json.dumps(key)}: {json.dumps(run(function, m)[0])}" for key, (function, _) in load().items()]
    OUTCOMES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(lines)} outcomes")
