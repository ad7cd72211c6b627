"""The system's list of file types is not read: the agent says itself what its few files are."""

import subprocess
import sys


def test_the_agent_knows_only_the_file_types_that_python_brings():
    program = "import agent.commands.run, mimetypes; print(mimetypes.inited, len(mimetypes.types_map) < 300)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "True"]
