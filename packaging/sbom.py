"""Lists what a bundle consists of for programs that look for known weaknesses: CycloneDX."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

import about
import archives
import inventory
from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as Part
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from inventory import Component
from packageurl import PackageURL


def write(bundle: Path, edition: str, target: Path, when: int) -> Path:
    """Write the list of `bundle` as CycloneDX 1.6 JSON; the same bundle gives the same bytes.

    https://cyclonedx.org/docs/1.6/json/. Raises `OSError` when the bundle holds no inventory.
    """
    components = inventory.read(bundle)
    (own,) = (item for item in components if item.name == inventory.OWN)
    program = _part(own, bundle)
    program.properties.add(Property(name="beartray:edition", value=edition))
    bom = Bom(components=[_part(item, bundle) for item in components if item is not own])
    bom.metadata.component = program
    bom.metadata.timestamp = about.day(when)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(_digests(bundle, components)))
    bom.register_dependency(program, bom.components)
    target.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", encoding="utf-8")
    return target


def _digests(bundle: Path, components: Iterable[Component]) -> list[str]:
    folder = inventory.internal(bundle)
    files = {name for item in components for name in item.files}
    return [f"{name} {archives.digest(folder / name)}" for name in sorted(files)]


def _part(item: Component, bundle: Path) -> Part:
    return Part(
        name=item.name,
        type=ComponentType(item.kind),
        bom_ref=item.purl or item.name,
        version=item.version,
        purl=PackageURL.from_string(item.purl) if item.purl else None,
        licenses=[LicenseFactory().make_from_string(item.licence)],
        external_references=[
            ExternalReference(type=ExternalReferenceType.SOURCE_DISTRIBUTION, url=XsUri(url))
            for url in filter(None, [item.source])
        ],
        components=[_file(name, item, bundle) for name in item.files],
    )


def _file(name: str, item: Component, bundle: Path) -> Part:
    digest = archives.digest(inventory.internal(bundle) / name)
    return Part(
        name=name,
        type=ComponentType.FILE,
        bom_ref=f"{item.purl or item.name}: {name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
