"""Prefect's artifacts: the tables and texts that flows show on its page, and that may name an address."""

import json
from collections.abc import Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ObjectNotFound

from busytime.forgetting import names_address

#: Artifacts that are in memory at once: one of a large roster holds a row for every calendar.
_AT_ONCE = 50


def remove_artifacts(address: str) -> int:
    """Remove all artifacts that name an address, and return how many.

    Must be imported, like all that imports Prefect, after its server is chosen.

    Args:
        address: An e-mail address in lower case.
    """
    with get_client(sync_client=True) as client:
        # One that is written meanwhile moves the others on, so that one of them may be seen twice.
        named = {artifact.id for artifact in _all(client) if names_address(_text(artifact), address)}
        for artifact_id in named:
            try:
                client.delete_artifact(artifact_id)
            except ObjectNotFound:  # Prefect's own vacuum was faster
                continue
    return len(named)


def _all(client: SyncPrefectClient) -> Iterator[Artifact]:
    """Yield every artifact, the newest first."""
    offset = 0
    while found := client.read_artifacts(sort=ArtifactSort.CREATED_DESC, limit=_AT_ONCE, offset=offset):
        yield from found
        offset += len(found)


def _text(artifact: Artifact) -> str:
    return json.dumps([artifact.key, artifact.description, artifact.data], ensure_ascii=False, default=str)
