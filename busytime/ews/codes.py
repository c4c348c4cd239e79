"""What each response code means to the product: one table, most specific wins, unmapped is fatal.

Response codes are those of the ``ResponseCode`` element (messages.xsd, ``ResponseCodeType``). The same table
serves a whole request that failed and a single mailbox inside an answer; where they differ, a ruling says so.
"""

import re
from dataclasses import dataclass

from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    ConflictError,
    FatalError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    ServerBusyError,
    SkippableError,
    SpoiltAnswerError,
    TooManyMailboxesError,
    UnsupportedServerError,
    WindowTooLargeError,
)

_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a response code means.

    Args:
        error: The class to raise when it ends a whole request.
        reason: Its reason.
        of_mailbox: The reason when it is one mailbox's part of an answer, if that differs.
    """

    error: type[BusyTimeError]
    reason: Reason
    of_mailbox: Reason | None = None

    @property
    def mailbox_reason(self) -> Reason:
        """The reason for one mailbox."""
        return self.of_mailbox or self.reason


_UNMAPPED = Ruling(FatalError, Reason.UNEXPECTED)
_BUSY = Ruling(ServerBusyError, Reason.SERVER_BUSY)
_SERVER_ERROR = Ruling(SpoiltAnswerError, Reason.SERVER_ERROR)
_UNAVAILABLE = Ruling(SpoiltAnswerError, Reason.MAILBOX_UNAVAILABLE)

_REFUSED_HERE = Ruling(SkippableError, Reason.SERVER_ERROR)

#: A search, or a question for a property of ours, that this server cannot answer, or not in this form.
_SEARCH_REFUSED = (
    "ErrorUnsupportedPathForQuery ErrorInvalidRestriction ErrorUnsupportedQueryFilter ErrorContainsFilterWrongType"
    " ErrorInvalidPropertyForExists ErrorUnsupportedPropertyDefinition ErrorInvalidExtendedProperty"
    " ErrorRestrictionTooComplex ErrorRestrictionTooLong ErrorQueryFilterTooLong ErrorInvalidPropertyRequest"
    " ErrorUnsupportedMapiPropertyType ErrorNoPropertyTagForCustomProperties"
)
#: A removal that leaves the item recoverable, where the server cannot do that.
_SOFT_DELETE_REFUSED = "ErrorInvalidOperation ErrorCannotDeleteObject ErrorDeleteItemsFailed ErrorMoveCopyFailed"
#: A time zone that this server does not know.
_ZONE_REFUSED = "ErrorCalendarInvalidTimeZone ErrorTimeZone"
#: The server says that it did not reach the mailbox, so nothing can have been changed there. Codes that may also come
#: from the middle of an operation (a store that fails over, a proxied request that broke off) are not among them.
_NOT_REACHED = (
    "ErrorMailboxMoveInProgress ErrorMailboxLogonFailed ErrorLogonAsNetworkServiceFailed ErrorServiceDiscoveryFailed"
    " ErrorProxyServiceDiscoveryFailed ErrorAutoDiscoverFailed ErrorNoRespondingCASInDestinationSite"
    " ErrorNoApplicableProxyCASServersAvailable ErrorNoDestinationCASDueToKerberosRequirements"
    " ErrorNoDestinationCASDueToSSLRequirements ErrorNoDestinationCASDueToVersionMismatch ErrorCrossSiteRequest"
    " ErrorInvalidCrossForestCredentials"
)

_TABLE: tuple[tuple[Ruling, str], ...] = (
    (
        # In a whole answer it is the connection's own account; beside one mailbox, that mailbox's.
        Ruling(AuthenticationError, Reason.PASSWORD_EXPIRED, Reason.MAILBOX_UNAVAILABLE),
        "ErrorPasswordExpired ErrorPasswordChangeRequired",
    ),
    (Ruling(AuthenticationError, Reason.ACCOUNT_DISABLED, Reason.MAILBOX_UNAVAILABLE), "ErrorAccountDisabled"),
    (
        # Beside one mailbox it cannot be meant: the header speaks of the whole request.
        Ruling(UnsupportedServerError, Reason.IMPERSONATION_DENIED, Reason.MAILBOX_UNAVAILABLE),
        (
            "ErrorImpersonateUserDenied ErrorImpersonationDenied ErrorImpersonationFailed"
            " ErrorInvalidExchangeImpersonationHeaderData"
        ),
    ),
    (Ruling(UnsupportedServerError, Reason.NO_MAILBOX, Reason.MAILBOX_NOT_FOUND), "ErrorMissingEmailAddress"),
    (
        Ruling(UnsupportedServerError, Reason.NOT_AN_EWS_SERVER, Reason.MAILBOX_UNAVAILABLE),
        (
            "ErrorInvalidServerVersion ErrorIncorrectSchemaVersion ErrorInvalidSchemaVersionForMailboxVersion"
            " ErrorWrongServerVersion ErrorWrongServerVersionDelegate"
        ),
    ),
    (_BUSY, "ErrorServerBusy ErrorExceededConnectionCount"),
    (
        # Met by delegated writes into many mailboxes; a reading is only asked to wait.
        Ruling(TooManyMailboxesError, Reason.TOO_MANY_MAILBOXES, Reason.SERVER_BUSY),
        "ErrorTooManyObjectsOpened",
    ),
    (
        Ruling(MailboxNotFoundError, Reason.MAILBOX_NOT_FOUND),
        (
            "ErrorNonExistentMailbox ErrorMailRecipientNotFound ErrorInvalidSmtpAddress ErrorInvalidMailbox"
            " ErrorNameResolutionNoMailbox ErrorNameResolutionNoResults"
        ),
    ),
    (
        Ruling(PermissionMissingError, Reason.NO_ACCESS),
        (
            "ErrorAccessDenied ErrorNoFreeBusyAccess ErrorNotDelegate ErrorProxyRequestNotAllowed"
            " ErrorNotAllowedExternalSharingByPolicy ErrorPermissionNotAllowedByPolicy ErrorUserNotAllowedByPolicy"
            " ErrorCreateItemAccessDenied ErrorRecoverableItemsAccessDenied"
        ),
    ),
    (
        Ruling(FolderNotFoundError, Reason.FOLDER_NOT_FOUND),
        (
            "ErrorFolderNotFound ErrorItemNotFound ErrorParentFolderNotFound ErrorInvalidFolderId ErrorInvalidId"
            " ErrorInvalidIdEmpty ErrorInvalidIdMalformed ErrorInvalidIdMalformedEwsLegacyIdFormat"
            " ErrorInvalidIdMonikerTooLong ErrorInvalidIdXml ErrorCannotUseItemIdForFolderId"
            " ErrorCalendarFolderIsInvalidForCalendarView ErrorInvalidFolderTypeForOperation"
            " ErrorSavedItemFolderNotFound ErrorCannotCreateCalendarItemInNonCalendarFolder"
            " ErrorCalendarCannotUpdateDeletedItem"
        ),
    ),
    (Ruling(FolderNotFoundError, Reason.NO_CALENDAR), "ErrorNoCalendar"),
    (_REFUSED_HERE, _SEARCH_REFUSED),
    (_REFUSED_HERE, _SOFT_DELETE_REFUSED),
    (
        Ruling(ConflictError, Reason.CHANGED_MEANWHILE),
        (
            "ErrorIrresolvableConflict ErrorStaleObject ErrorChangeKeyRequired ErrorChangeKeyRequiredForWriteOperations"
            " ErrorInvalidChangeKey"
        ),
    ),
    (_REFUSED_HERE, _ZONE_REFUSED),
    (
        # One item cannot be written as it is or where it is; others can.
        _REFUSED_HERE,
        (
            "ErrorQuotaExceeded ErrorItemSave ErrorItemSavePropertyError ErrorPropertyUpdate ErrorPropertyValidationFailure"
            " ErrorCalendarOutOfRange ErrorCalendarDurationIsTooLong ErrorCalendarEndDateIsEarlierThanStartDate"
            " ErrorCalendarInvalidPropertyValue ErrorCalendarInvalidPropertyState ErrorCalendarIsNotOrganizer"
            " ErrorCalendarMeetingRequestIsOutOfDate ErrorCalendarOccurrenceIsDeletedFromRecurrence"
            " ErrorOccurrenceCrossingBoundary ErrorOccurrenceTimeSpanTooBig ErrorInvalidExtendedPropertyValue"
            " ErrorInvalidPropertyDelete ErrorInvalidPropertyForOperation ErrorInvalidPropertySet"
            " ErrorInvalidPropertyUpdateSentMessage ErrorInvalidValueForProperty ErrorRequiredPropertyMissing"
            " ErrorValueOutOfRange ErrorItemPropertyRequestFailed ErrorObjectTypeChanged ErrorSendAsDenied"
            " ErrorVirusDetected ErrorVirusMessageDeleted"
        ),
    ),
    (
        # One sharing invitation cannot be accepted.
        _REFUSED_HERE,
        (
            "ErrorInvalidSharingMessage ErrorInvalidSharingData ErrorNotSupportedSharingMessage ErrorInvalidReferenceItem"
            " ErrorInvalidExternalSharingInitiator ErrorInvalidExternalSharingSubscriber"
            " ErrorSharingNoExternalEwsAvailable ErrorSharingSynchronizationFailed ErrorInvalidItemForOperationCreateItem"
        ),
    ),
    (
        Ruling(WindowTooLargeError, Reason.WINDOW_TOO_LONG),
        "ErrorTimeIntervalTooBig ErrorCalendarViewRangeTooBig",
    ),
    (
        Ruling(WindowTooLargeError, Reason.TOO_MANY_APPOINTMENTS),
        "ErrorResultSetTooBig ErrorExceededFindCountLimit",
    ),
    (Ruling(SpoiltAnswerError, Reason.ANSWER_TOO_LARGE), "ErrorMessageSizeExceeded ErrorDataSizeLimitExceeded"),
    (Ruling(SpoiltAnswerError, Reason.TIMED_OUT), "ErrorTimeoutExpired"),
    (
        # Fewer mailboxes a request than the documented hundred: bisection finds what the server takes.
        _SERVER_ERROR,
        "ErrorMailboxDataArrayTooBig ErrorRequestStreamTooBig",
    ),
    (
        _SERVER_ERROR,
        (
            "ErrorInternalServerError ErrorInternalServerTransientError ErrorInsufficientResources ErrorNotEnoughMemory"
            " ErrorRequestAborted ErrorConnectionFailed ErrorConnectionFailedTransientError ErrorADOperation"
            " ErrorADUnavailable ErrorADSessionFilter ErrorBatchProcessingStopped ErrorClientDisconnected"
            " ErrorDataSourceOperation ErrorProxyCallFailed ErrorProxyTokenExpired ErrorWin32InteropError"
            " ErrorWebRequestInInvalidState ErrorResponseSchemaValidation ErrorContentConversionFailed"
        ),
    ),
    (_UNAVAILABLE, _NOT_REACHED),
    (
        _UNAVAILABLE,
        (
            "ErrorMailboxStoreUnavailable ErrorMailboxFailover ErrorMailboxConfiguration ErrorFreeBusyGenerationFailed"
            " ErrorProxyRequestProcessingFailed ErrorAddressSpaceNotFound ErrorInvalidOrganizationRelationshipForFreeBusy"
            " ErrorAvailabilityConfigNotFound ErrorCorruptData ErrorFolderCorrupt ErrorItemCorrupt ErrorFreeBusyDLLimitReached"
            " ErrorIndividualMailboxLimitReached ErrorOrganizationNotFederated ErrorWorkingHoursXmlMalformed"
            " ErrorInvalidFreeBusyViewType ErrorInvalidMergedFreeBusyInterval ErrorLegacyMailboxFreeBusyViewTypeNotMerged"
            " ErrorLocalServerObjectNotFound"
        ),
    ),
)

RULINGS: dict[str, Ruling] = {code: ruling for ruling, codes in _TABLE for code in codes.split()}

#: Codes of a search that has to be asked in a simpler way.
SEARCH_REFUSED = frozenset(_SEARCH_REFUSED.split())
#: Codes of a time zone that has to be another one.
ZONE_REFUSED = frozenset(_ZONE_REFUSED.split())
#: Codes after which nothing was changed, although the class of their error leaves that open.
NOT_REACHED = frozenset(_NOT_REACHED.split())
#: Codes of a removal that has to be asked for good.
SOFT_DELETE_REFUSED = frozenset([*_SOFT_DELETE_REFUSED.split(), "ErrorRecoverableItemsAccessDenied"])


def clean_code(text: str | None) -> str | None:
    """Return a server's text if it looks like a response code; anything else it may say is dropped."""
    code = (text or "").strip().rpartition(":")[2]  # a fault code may carry a namespace prefix
    return code if _CODE.fullmatch(code) else None


def ruling_of(code: str | None) -> Ruling:
    """Return what a code means; an unmapped one is fatal for a request."""
    return RULINGS.get(code or "", _UNMAPPED)
