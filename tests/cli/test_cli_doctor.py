"""``rlm-kernel doctor``: names what is missing, and how to mend it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def jupyter(tmp_path):
    """A Jupyter path of our own, so that nothing depends on what is installed on the machine."""
    path = tmp_path / "jupyter"
    kernel = path / "kernels" / "rlm"
    kernel.mkdir(parents=True)
    spec = {"argv": ["python"], "display_name": "RLM (Python)", "language": "python", "metadata": {"rlm": True}}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return path


def line_of(done, what):
    lines = [line for line in done.stdout.splitlines() if line.split()[1] == what]
    assert len(lines) == 1, done.stdout
    return lines[0]


def test_all_that_is_needed_is_there(run_cli, jupyter):
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} <= {"ok", "note"}
    assert line_of(done, "kernel").startswith("ok")
    assert "tutor" in line_of(done, "model")
    assert "made with the first question" in line_of(done, "store")


def test_another_kernelspec_of_that_name_is_missing(run_cli, jupyter):
    spec = jupyter / "kernels" / "rlm" / "kernel.json"
    spec.write_text(spec.read_text().replace('"rlm": true', '"other": true'))
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter))
    assert done.returncode == 1
    assert line_of(done, "kernel").startswith("missing")
    assert "pip install" in line_of(done, "kernel")


def test_a_missing_key_is_told_with_its_remedy(run_cli, jupyter):
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter), RLM_MODEL="some-model")
    assert done.returncode == 1
    assert "RLM_MODEL" in line_of(done, "model")
    assert "export OPENAI_API_KEY" in line_of(done, "key")


def test_a_key_is_never_shown(run_cli, jupyter):
    key = "sk-secret-0123456789"
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter), RLM_MODEL="some-model", OPENAI_API_KEY=key)
    assert done.returncode == 0, done.stdout
    assert key not in done.stdout + done.stderr
    assert line_of(done, "key").startswith("ok")


def test_a_disabled_extension_is_told(run_cli, jupyter, tmp_path):
    extension = jupyter / "labextensions" / "rlm-kernel"
    extension.mkdir(parents=True)
    (extension / "package.json").write_text('{"version": "0.0.1"}')
    config = tmp_path / "config" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text('{"disabledExtensions": {"rlm-kernel": true}}')
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter), JUPYTER_CONFIG_DIR=str(config.parent))
    assert "disabled" in line_of(done, "extension")
    assert "enable" in line_of(done, "extension")


def test_nothing_is_sent_without_probe(run_cli, jupyter, endpoint):
    done = run_cli("doctor", JUPYTER_PATH=str(jupyter), **endpoint.environ)
    assert done.returncode == 0, done.stdout
    assert "probe" not in done.stdout
    probed = run_cli("doctor", "--probe", JUPYTER_PATH=str(jupyter), **endpoint.environ)
    assert probed.returncode == 0, probed.stdout
    assert "root-model" in line_of(probed, "probe")


def test_an_endpoint_that_is_not_there(run_cli, jupyter):
    done = run_cli("doctor", "--probe", JUPYTER_PATH=str(jupyter), OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "cannot be reached" in line_of(done, "probe")
    done = run_cli("doctor", "--probe", JUPYTER_PATH=str(jupyter), OPENAI_BASE_URL="file:///etc/hosts")
    assert "not a web address" in line_of(done, "probe")
