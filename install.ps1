<#
.SYNOPSIS
Installs FreeRide for this user: uv where it is missing, then `uv tool install freeride-gateway`.
.DESCRIPTION
What it is about to do it says first. Can be run again: then it upgrades. Nothing is sent anywhere but the requests for the
packages, and no setting of the system is changed.

Environment: FREERIDE_INDEX says where the packages come from, a folder of wheels, from which alone everything is taken, or an
index that is asked first; and whatever uv itself heeds, such as UV_TOOL_BIN_DIR.
.PARAMETER DryRun
Say what would be done, and do nothing.
.PARAMETER Help
Show this.
#>
param(
    [switch]$DryRun,
    [switch]$Help
)

$ErrorActionPreference = 'Stop'

# An entry of Path that is relative or empty names the folder that this runs in, which may be a stranger's.
$absolute = $env:Path -split [IO.Path]::PathSeparator | Where-Object { $_ -match '^"?([A-Za-z]:[\\/]|\\\\|/)' }
$env:Path = $absolute -join [IO.Path]::PathSeparator

$Wanted = 'freeride-gateway>=0.5'
$UvInstaller = 'https://astral.sh/uv/install.ps1'

function Say([string]$Text) { Write-Output "freeride: $Text" }

function Stop-Here([string]$Text) {
    [Console]::Error.WriteLine("freeride: $Text")
    exit 1
}

# As it could be typed, but for the name and the password that an address may hold.
function Format-Word([string]$Word) {
    $shown = $Word -replace '://.*@', '://***@'
    if ($shown -match '[^A-Za-z0-9_./:%+=\\-]') { return "'" + $shown.Replace("'", "''") + "'" }
    return $shown
}

function Find-Uv {
    $found = Get-Command uv -CommandType Application -ErrorAction SilentlyContinue
    if ($found) { return $found.Source }
    foreach ($folder in @("$HOME\.local\bin", "$HOME\.cargo\bin")) {
        if (Test-Path "$folder\uv.exe") { return "$folder\uv.exe" }
    }
    return $null
}

if ($Help) {
    Write-Output 'Usage: install.ps1 [-DryRun] [-Help]'
    Write-Output ''
    Write-Output 'Installs the command `freeride` for this user, in an environment of its own.'
    Write-Output ''
    Write-Output '  -DryRun   say what would be done, and do nothing'
    Write-Output '  -Help     show this'
    Write-Output ''
    Write-Output 'Environment:'
    Write-Output '  FREERIDE_INDEX   where the packages come from: a folder of wheels, from which'
    Write-Output '                   alone everything is taken, or an index that is asked first'
    Write-Output '  UV_*             whatever uv itself heeds, such as UV_TOOL_BIN_DIR'
    exit 0
}

$uv = Find-Uv
if (-not $uv) {
    Say "uv is missing; its makers' installer puts it into $HOME\.local\bin: $UvInstaller"
    if (-not $DryRun) {
        # Fetched as a whole before any of it runs, and in a process of its own, as it may exit.
        $script = Join-Path ([IO.Path]::GetTempPath()) "uv-$([Guid]::NewGuid()).ps1"
        try {
            Invoke-RestMethod $UvInstaller -OutFile $script
            $env:UV_NO_MODIFY_PATH = '1'
            $shell = (Get-Process -Id $PID).Path
            & $shell -NoProfile -ExecutionPolicy Bypass -File $script
            if ($LASTEXITCODE -ne 0) { Stop-Here 'uv cannot be had. Install it by hand, and run this again.' }
        }
        finally {
            Remove-Item $script -ErrorAction SilentlyContinue
        }
    }
    $uv = Find-Uv
    if (-not $uv) {
        if (-not $DryRun) { Stop-Here 'uv was installed, and cannot be found: put its folder on your Path, and run this again.' }
        $uv = 'uv'
    }
}

$words = @('tool', 'install', '--upgrade')
if ($env:FREERIDE_INDEX) {
    if (Test-Path $env:FREERIDE_INDEX -PathType Container) {
        $words += @('--no-index', '--find-links', $env:FREERIDE_INDEX)
    }
    else {
        $words += @('--index', $env:FREERIDE_INDEX)
    }
}
$words += $Wanted
Say "running: $uv $(($words | ForEach-Object { Format-Word $_ }) -join ' ')"
if ($DryRun) { exit 0 }
& $uv @words
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }

$bin = & $uv tool dir --bin
$version = & (Join-Path $bin 'freeride') --version
if ($LASTEXITCODE -ne 0) { Stop-Here "the command in $bin does not start" }
Say "$version is installed in $bin"
if (($env:Path -split [IO.Path]::PathSeparator) -notcontains $bin) {
    Say 'that folder is not on your Path; this puts it there for programs that start from now on:'
    Write-Output "  & '$uv' tool update-shell"
}
Say 'next: freeride init (your keys), freeride serve, freeride bind; or first look on without a key: freeride demo'
