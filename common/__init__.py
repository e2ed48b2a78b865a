"""The shared library of the kit: everything that does not know a competition."""

import os

# albumentations asks the package index for its newest version at import: two seconds lost
# wherever there is no network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
