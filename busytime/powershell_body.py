r"""The code of the admin's PowerShell script, the same in every script.

It holds no double-quoted string: nothing in it is ever expanded. Sources of what it knows of Exchange:
Get-MailboxFolderStatistics and {Get,Add,Set}-MailboxFolderPermission in Microsoft's reference (a folder's identity is
``MAILBOX:\Folder\SubFolder``; AvailabilityOnly and LimitedDetails are the names of the two lowest levels of a calendar;
without SendNotificationToUser and SharingPermissionFlags a delegate stays one). Not in that reference, but in scripts that
admins published and use: a slash in a folder's name is shown in FolderPath as character 63743 (U+F8FF);
``MAILBOX:\`` is the mailbox's root; and ``MAILBOX:FolderId`` is an identity too, with which names that hold a slash or a
backslash need no spelling at all (rakhesh.com, "Using FolderID for permission related tasks on mailbox folders").
"""

HEADER = """\
#Requires -Version 5.1
<#
.SYNOPSIS
Gives the mailbox of busytime the calendar permissions that it needs.

.DESCRIPTION
Rows: COUNT. Each row names a calendar, who is to get a permission there, and which.
The permission FolderVisible opens nothing: it shows that a folder is there, and without it
no calendar below that folder is found.
A permission that is as high already, or higher, is left alone, so the script can be run again.
It only adds and raises permissions of the mailboxes named as Grantee. It sends no mail.

How to run it:
1. Open the Exchange Management Shell, or PowerShell and then: Connect-ExchangeOnline
2. See what would be done:   .\\FILE.ps1 -WhatIf
3. Do it:                    .\\FILE.ps1
In place of FILE stands the name of this file. If the window does not allow scripts, type this in it first:
Set-ExecutionPolicy -Scope Process -ExecutionPolicy Bypass

Exit status: 0 all rows done, 1 some rows not done (each is named), 2 no Exchange cmdlets here.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param()

$ErrorActionPreference = 'Stop'

# Data. In this section PowerShell runs nothing.
"""

BODY = r"""# From here on the script is the same for every organisation.

# Levels in the order of what they allow, under all names that Exchange has for them.
$Order = @{
    'None' = 0
    'AvailabilityOnly' = 1; 'FreeBusyTimeOnly' = 1
    'LimitedDetails' = 2; 'FreeBusyTimeAndSubjectAndLocation' = 2
    'Reviewer' = 3; 'NoneditingAuthor' = 4; 'Author' = 5; 'PublishingAuthor' = 6
    'Editor' = 7; 'PublishingEditor' = 8; 'Owner' = 9
}
# The cmdlets know the two lowest levels by these names.
$CmdletName = @{ 'FreeBusyTimeOnly' = 'AvailabilityOnly'; 'FreeBusyTimeAndSubjectAndLocation' = 'LimitedDetails' }
$FolderCache = @{}

function Get-CalendarFolder($Owner, $Scope) {
    $key = $Scope + ' ' + $Owner
    if (-not $FolderCache.ContainsKey($key)) {
        if ($Scope -eq 'Calendar') {
            $found = Get-MailboxFolderStatistics -Identity $Owner -FolderScope Calendar -ErrorAction Stop
        }
        else {
            $found = Get-MailboxFolderStatistics -Identity $Owner -ErrorAction Stop
        }
        $FolderCache[$key] = @($found | Select-Object -Property @('FolderPath', 'FolderType', 'FolderId'))
    }
    $FolderCache[$key]
}

# FolderPath is /Kalender/Projects, and a slash within a name is character 63743 there.
function Split-FolderPath($Path) {
    foreach ($name in ([string]$Path).TrimStart([char]'/').Split([char]'/')) {
        $name.Replace([string][char]63743, '/')
    }
}

function Test-SamePath($One, $Other, $Comparison) {
    if ($One.Count -ne $Other.Count) { return $false }
    for ($i = 0; $i -lt $One.Count; $i++) {
        if (-not [string]::Equals($One[$i].Normalize(), $Other[$i].Normalize(), $Comparison)) { return $false }
    }
    return $true
}

# One folder is chosen, or none: exact spelling first, and never a guess between two of one name.
function Select-CalendarFolder($Folders, $Wanted) {
    $alike = @($Folders | Where-Object {
        Test-SamePath @(Split-FolderPath $_.FolderPath) $Wanted ([StringComparison]::OrdinalIgnoreCase)
    })
    if ($alike.Count -gt 1) {
        $alike = @($alike | Where-Object {
            Test-SamePath @(Split-FolderPath $_.FolderPath) $Wanted ([StringComparison]::Ordinal)
        })
        if ($alike.Count -ne 1) { throw 'There are several folders of this name. Grant it by hand.' }
    }
    if ($alike.Count -eq 0) { throw 'There is no such folder. It may have been renamed, moved or deleted.' }
    $alike[0]
}

# The default calendar is looked up, because its name depends on the language of its owner: it may be Kalender.
function Find-CalendarIdentity($Row) {
    if ($Row.Place -eq 'root') { return ($Row.Owner + ':\') }
    $scoped = @(Get-CalendarFolder $Row.Owner 'Calendar')
    $default = @($scoped | Where-Object { [string]$_.FolderType -eq 'Calendar' })
    if ($default.Count -ne 1) { throw 'The mailbox has no default calendar. Its owner may never have signed in.' }
    if (@($Row.Ordinals | Where-Object { $_ -ne '1' }).Count -gt 0) {
        throw 'It is one of several folders of one name. Grant it by hand.'
    }
    $folder = $default[0]
    $path = @(Split-FolderPath $folder.FolderPath)
    if (@($Row.Names).Count -gt 0) {
        $candidates = $scoped
        $start = $path
        if ($Row.Place -eq 'beside') {
            $candidates = @(Get-CalendarFolder $Row.Owner 'All')
            $start = @($path | Select-Object -First ($path.Count - 1))
        }
        $path = @($start) + @($Row.Names)
        $folder = Select-CalendarFolder $candidates $path
        $path = @(Split-FolderPath $folder.FolderPath)
    }
    # A path has no spelling for a name that holds a slash or a backslash; the folder's id needs none.
    if (@($path | Where-Object { $_.Contains('\') -or $_.Contains('/') }).Count -gt 0) {
        return ($Row.Owner + ':' + [string]$folder.FolderId)
    }
    return ($Row.Owner + ':\' + ($path -join '\'))
}

# The level of an entry: nothing where there is no entry, Custom for anything but one of Exchange's own levels.
function Get-Level($Entries) {
    if ($Entries.Count -eq 0) { return '' }
    $rights = @($Entries | ForEach-Object { $_.AccessRights } | ForEach-Object { [string]$_ })
    if ($rights.Count -ne 1) { return 'Custom' }
    if ($rights[0] -eq 'Contributor' -or $rights[0] -eq 'FolderVisible' -or $Order.ContainsKey($rights[0])) { return $rights[0] }
    return 'Custom'
}

function Get-GranteeLevel($Identity, $User) {
    # Having no entry is an error of this cmdlet. Any other error shows again when the permission is added.
    try { $entries = @(Get-MailboxFolderPermission -Identity $Identity -User $User -ErrorAction Stop) }
    catch { $entries = @() }
    Get-Level $entries
}

# What is to be done with a row: Add, Set, Keep or ByHand.
function Get-Decision($Held, $Everybody, $Level) {
    if ($Level -eq 'FolderVisible') {
        $now = $Held
        if ($Held -eq '') { $now = $Everybody }
        if ($now -eq 'FolderVisible' -or $now -eq 'Contributor' -or $Order[$now] -ge $Order['Reviewer']) { return 'Keep' }
        if ($Held -eq '') { return 'Add' }
        # The lowest two levels show free/busy times, which this right alone would take away.
        if ($Held -eq 'None') { return 'Set' } else { return 'ByHand' }
    }
    $wanted = $Order[$Level]
    if ($Held -eq '') {
        # An entry of its own replaces what everybody has, so a lower one would take something away.
        if ($Order.ContainsKey($Everybody) -and $Order[$Everybody] -ge $wanted) { return 'Keep' }
        return 'Add'
    }
    if ($Held -eq 'Custom') { return 'ByHand' }
    if ($Held -eq 'FolderVisible') { if ($wanted -ge $Order['Reviewer']) { return 'Set' } else { return 'ByHand' } }
    # A Contributor may create and not read: a level that only reads would take the right to create away.
    if ($Held -eq 'Contributor') { if ($wanted -ge $Order['NoneditingAuthor']) { return 'Set' } else { return 'ByHand' } }
    if ($Order[$Held] -ge $wanted) { return 'Keep' }
    return 'Set'
}

function Invoke-Row($Row) {
    $identity = Find-CalendarIdentity $Row
    $held = Get-GranteeLevel $identity $Row.Grantee
    $everybody = ''
    if ($held -eq '') {
        $everybody = Get-Level @(Get-MailboxFolderPermission -Identity $identity -User Default -ErrorAction Stop)
    }
    $decision = Get-Decision $held $everybody $Row.Level
    if ($decision -eq 'Keep') { return 'left alone' }
    if ($decision -eq 'ByHand') { throw ('The level there is ' + $held + ', which is not changed. Grant it by hand.') }
    $right = $Row.Level
    if ($CmdletName.ContainsKey($right)) { $right = $CmdletName[$right] }
    if (-not $PSCmdlet.ShouldProcess($identity, $decision + ' ' + $right + ' for ' + $Row.Grantee)) { return 'not done' }
    $change = @{
        Identity = $identity; User = $Row.Grantee; AccessRights = $right
        WhatIf = [bool]$WhatIfPreference; Confirm = $false; ErrorAction = 'Stop'
    }
    if ($decision -eq 'Add') { $null = Add-MailboxFolderPermission @change; return 'added' }
    $null = Set-MailboxFolderPermission @change
    return ('raised from ' + $held)
}

if (-not (Get-Command Get-MailboxFolderPermission -ErrorAction SilentlyContinue)) {
    Write-Warning 'The Exchange cmdlets are not here. Open the Exchange Management Shell, or run Connect-ExchangeOnline first.'
    exit 2
}

$count = @{ 'added' = 0; 'raised' = 0; 'left alone' = 0; 'not done' = 0; 'failed' = 0 }
foreach ($Row in $Rows) {
    $calendar = (@($Row.Owner) + @($Row.Names)) -join ' / '
    if ($Row.Place -eq 'beside') { $calendar = $calendar + ' (beside the calendar)' }
    if ($Row.Place -eq 'root') { $calendar = $calendar + ' (the root of the mailbox)' }
    try { $outcome = [string](Invoke-Row $Row); $detail = '' }
    catch { $outcome = 'failed'; $detail = [string]$_.Exception.Message }
    if ($outcome -eq 'failed') { Write-Warning ($calendar + ': ' + $detail) }
    if ($outcome.StartsWith('raised')) { $count['raised']++ } else { $count[$outcome]++ }
    [pscustomobject]@{ Calendar = $calendar; Grantee = $Row.Grantee; Level = $Row.Level; Outcome = $outcome }
}

Write-Host ('Added {0}, raised {1}, left alone {2}, not done (WhatIf or declined) {3}, failed {4}.' -f
    $count['added'], $count['raised'], $count['left alone'], $count['not done'], $count['failed'])
if ($count['failed'] -gt 0) { exit 1 }
exit 0
"""
