"""Prefect's artifacts: the tables and texts that flows show on its page, and that may name an address."""

import json
import logging
from collections.abc import Iterator

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ObjectNotFound

from busytime.forgetting import names_address

#: Artifacts that are in memory at once: one of a large roster holds a row for every calendar.
_AT_ONCE = 50

_LOG = logging.getLogger("busytime.artifacts")


def show(key: str, text: str, description: str) -> None:
    """Show a text with the run at work on Prefect's page.

    What a run came to stands in our tables by then: a page that cannot be written to costs the run nothing.

    Args:
        key: What it is called on the page; the latest one of a key is found under it.
        text: Markdown, in which names from outside are escaped.
        description: One line of plain words of our own.
    """
    try:
        create_markdown_artifact(text, key=key, description=description)
    except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is away
        _LOG.warning("Prefect's page does not show what the %s came to (%s); it is in the tables.", key, type(error).__name__)


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
    # A line upright in an address is escaped in a table.
    told = [artifact.key, artifact.description, artifact.data]
    return json.dumps(told, ensure_ascii=False, default=str).replace(r"\\|", "|")
