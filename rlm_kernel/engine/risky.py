"""Names that do more than compute, each with what it does in plain words: the tables of `rlm_kernel.engine.risk`."""

from __future__ import annotations

WRITES = "writes a file"
MAY_WRITE = "may write a file"
CHANGES = "changes files"
DELETES = "deletes files"
PROGRAM = "starts a program"
PROCESS = "acts on processes"
NETWORK = "reaches the network"
READS_ENV = "reads the environment"
SETS_ENV = "changes the environment"
FROM_TEXT = "runs code from a text"
IMPORTS = "imports by name"
UNPICKLES = "loads objects that can run code"
FOREIGN = "calls code outside Python"
INSIDE = "reaches into Python's insides"
IPYTHON = "steers IPython"
SHELL = "runs a shell line"
MAGIC = "uses a magic"
PASSED_ON = "passes on a module that can do more than compute"


def _of(module: str, words: str, why: str) -> dict[str, str]:
    return {f"{module}.{word}": why for word in words.split()}


def _all(names: str, why: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), why)


NAMES: dict[str, str] = {
    **_of("os", "environ environb getenv getenvb", READS_ENV),
    **_of("os", "putenv unsetenv", SETS_ENV),
    **_of("os", "remove unlink rmdir removedirs", DELETES),
    **_of("os", "system popen startfile fork forkpty posix_spawn posix_spawnp", PROGRAM),
    **_of("os", "execl execle execlp execlpe execv execve execvp execvpe", PROGRAM),
    **_of("os", "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe", PROGRAM),
    **_of("os", "kill killpg abort _exit nice setuid setgid setsid setpgid chroot", PROCESS),
    **_of("os", "rename renames replace link symlink mkdir makedirs mkfifo mknod truncate ftruncate", CHANGES),
    **_of("os", "chmod fchmod lchmod chown fchown lchown chflags utime setxattr removexattr chdir fchdir", CHANGES),
    **_of("os", "open fdopen write writev pwrite pwritev sendfile copy_file_range", MAY_WRITE),
    **_of("shutil", "rmtree", DELETES),
    **_of("shutil", "copy copy2 copyfile copyfileobj copymode copystat copytree move chown", CHANGES),
    **_of("shutil", "make_archive unpack_archive", WRITES),
    **_of("subprocess", "run Popen call check_call check_output getoutput getstatusoutput", PROGRAM),
    **_of("asyncio", "create_subprocess_exec create_subprocess_shell", PROGRAM),
    **_of("asyncio", "open_connection open_unix_connection start_server start_unix_server", NETWORK),
    **_of("pty", "spawn fork", PROGRAM),
    **_of("multiprocessing", "Process Pool Manager get_context set_start_method pool", PROGRAM),
    **_of("concurrent.futures", "ProcessPoolExecutor process", PROGRAM),
    **_of("signal", "signal pthread_kill raise_signal alarm setitimer", PROCESS),
    **_of("sys", "modules meta_path path_hooks settrace setprofile addaudithook _getframe", INSIDE),
    **_of(
        "tempfile", "NamedTemporaryFile TemporaryFile SpooledTemporaryFile TemporaryDirectory mkstemp mkdtemp", WRITES
    ),
    **_of("pickle", "load loads Unpickler", UNPICKLES),
    **_of("marshal", "load loads", UNPICKLES),
    **_of("joblib", "load", UNPICKLES),
    **_of("joblib", "dump", WRITES),
    **_of("torch", "load", UNPICKLES),
    **_of("yaml", "load unsafe_load full_load load_all", UNPICKLES),
    **_of("numpy", "save savez savez_compressed savetxt memmap", WRITES),
    **_of("builtins", "eval exec compile", FROM_TEXT),
    **_of("builtins", "__import__", IMPORTS),
    **_of("builtins", "open breakpoint", MAY_WRITE),
    **_of("urllib", "request robotparser", NETWORK),
    **_of("http", "client server", NETWORK),
    **_of("IPython", "get_ipython", IPYTHON),
}
"""Functions, by where they are; also what is below them."""

MODULES: dict[str, str] = {
    **_all(
        "socket ssl requests httpx aiohttp urllib3 ftplib smtplib poplib imaplib telnetlib nntplib "
        "xmlrpc socketserver websocket websockets paramiko pycurl webbrowser grpc boto3 botocore "
        "openai anthropic huggingface_hub",
        NETWORK,
    ),
    **_all("ctypes cffi _ctypes", FOREIGN),
    **_all("importlib runpy imp pkgutil zipimport", IMPORTS),
    **_all("code codeop", FROM_TEXT),
    **_all("dill cloudpickle shelve", UNPICKLES),
    **_all("pexpect sh plumbum posix nt _posixsubprocess", PROGRAM),
    "gc": INSIDE,
}
"""Modules of which everything counts."""

GUARDED = frozenset({*MODULES, *(name.split(".")[0] for name in NAMES)}) - {"concurrent", "numpy", "asyncio", "http"}
"""Modules that are not to be passed on as a value: ``getattr(os, …)``."""

GUESSED = GUARDED - {"code", "codeop", "gc", "imp", "nt", "posix", "sh", "signal", "torch"}
"""Names that are taken for these modules where no import was seen; the others are variables more often."""

OPENERS = frozenset({"builtins.open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open", "tarfile.open"})
"""Open a file, in a mode that is the second argument."""
ARCHIVES = frozenset({"zipfile.ZipFile", "tarfile.TarFile", "gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile"})
"""The like, as classes."""
DATABASES = frozenset({"sqlite3.connect"})

METHODS: dict[str, str] = {
    **_all("write_text write_bytes touch tofile savefig extractall to_pickle to_parquet to_excel", WRITES),
    **_all("to_feather to_hdf to_sql to_stata write_csv write_parquet write_image write_html", WRITES),
    **_all("unlink rmdir rmtree", DELETES),
    **_all("mkdir symlink_to hardlink_to lchmod chmod", CHANGES),
}
"""Methods with names that leave little doubt, of whatever object."""
WITH_TARGET = frozenset({"to_csv", "to_json", "to_html", "to_markdown", "to_latex", "to_string", "to_xml", "save"})
"""Methods that write a file where they are given one."""
OF_PATHS = frozenset({"rename", "replace"})
"""Methods that change files where the object is a path."""
INSIDES = frozenset(
    {"__subclasses__", "__globals__", "__builtins__", "__import__", "__loader__", "__code__", "f_globals", "gi_frame"}
)

QUIET_MAGICS = frozenset(
    {
        "time",
        "timeit",
        "capture",
        "matplotlib",
        "precision",
        "pprint",
        "who",
        "whos",
        "who_ls",
        "pinfo",
        "pdoc",
        "psearch",
    }
)
"""Magics that do nothing but show or measure; the code behind them is looked at."""
ALIASES = frozenset(
    {"rm", "rmdir", "mv", "cp", "mkdir", "ln", "cat", "ls", "run", "pip", "conda", "cd", "env", "sx", "system"}
)
"""Words that IPython takes for a command where they begin a cell of one line."""
