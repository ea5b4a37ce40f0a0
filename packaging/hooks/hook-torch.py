"""What PyInstaller takes along of torch, in place of the hook that comes with it.

That one imports every module of torch and copies every file beside them: tests, tools that
compile, and 100 MB of headers and programs. Here the modules are those that are imported
somewhere, which PyInstaller finds by itself, and the libraries those that they load.
"""

import sys

from PyInstaller.utils.hooks import collect_dynamic_libs, get_package_paths

# For tests of torch, and for models compiled ahead of time.
UNUSED = ("torchbind_test", "jitbackend_test", "backend_with_compiler", "aoti_custom_ops")

folder = get_package_paths("torch")[1]
binaries = [
    library
    for library in collect_dynamic_libs("torch", search_patterns=["*.dll", "*.dylib", "lib*.so*"])
    if not any(name in library[0] for name in UNUSED)
]
if sys.platform != "win32":
    # Shares tensors between processes; without it torch does not even load.
    binaries.append((f"{folder}/bin/torch_shm_manager", "torch/bin"))
# Named by text only, in the C++ of torch.
hiddenimports = ["torch._C", "torch._VF", "torch._tensor_docs", "torch._storage_docs"]
# The wheel has its libraries where it looks for them: links to them elsewhere confuse it.
bindepend_symlink_suppression = ["**/torch/lib/*.so*"]
