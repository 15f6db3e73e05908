# docker dbsafe, for PowerShell: what can destroy goes through the guard, everything else straight to docker.
# `& (Get-Command docker -CommandType Application)[0] …` goes past it. Made by: docker dbsafe shell-init powershell
$dbsafeWords = [Environment]::GetCommandLineArgs()
$dbsafeScript = ($dbsafeWords -match '^-(noni|f|c|e)') -and -not ($dbsafeWords -match '^-noe')
if ([Environment]::UserInteractive -and -not $dbsafeScript) {
    function global:__dbsafe_straight([string[]] $words) {
        $i = 0
        while ($i -lt $words.Count) {
            $word = $words[$i]
            if ($word -cin @DOCKER_VALUE@) {
                if ($i + 1 -ge $words.Count) { return $false }
                $i += 2
            }
            elseif ($word -cmatch '@DOCKER_JOINED@' -or $word -cin @DOCKER_SWITCH@) { $i++ }
            elseif ($word -cin @DOCKER_ALONE@) { return $i + 1 -eq $words.Count }
            elseif ($word -ceq 'compose') { return __dbsafe_straight_compose @($words | Select-Object -Skip ($i + 1)) }
            elseif ($word -cin @COMMANDS@) { return $true }
@FAMILIES@
            else { return $false }
        }
        return $true
    }

    function global:__dbsafe_straight_compose([string[]] $words) {
        $i = 0
        while ($i -lt $words.Count) {
            $word = $words[$i]
            if ($word -cin @COMPOSE_VALUE@) {
                if ($i + 1 -ge $words.Count) { return $false }
                $i += 2
            }
            elseif ($word -cmatch '@COMPOSE_JOINED@' -or $word -cin @COMPOSE_SWITCH@) { $i++ }
            elseif ($word -cin @COMPOSE_ALONE@) { return $i + 1 -eq $words.Count }
            else { return $word -cin @COMPOSE@ }
        }
        return $true
    }

    # $words go to a program; what comes through the pipe, too.
    function global:__dbsafe_run([string] $name, [string[]] $words, $piped, [bool] $isPiped, [bool] $guarded) {
        $program = (Get-Command $name -CommandType Application -TotalCount 1).Source
        try {
            if ($guarded) { $env:DBSAFE_SHELL = 'powershell' }
            if ($isPiped) { $piped | & $program @words } else { & $program @words }
        }
        finally {
            if ($guarded) { Remove-Item Env:DBSAFE_SHELL }
        }
    }

    function global:docker {
        # A script that is run from here has the function too, and is not touched.
        $script = [bool] $MyInvocation.ScriptName
        $words = [string[]] $args
        $ours = $words.Count -gt 0 -and $words[0] -ceq 'dbsafe'
        if ($script -or $ours -or (__dbsafe_straight $words)) {
            __dbsafe_run docker $words $input $MyInvocation.ExpectingInput $ours
        }
        else {
            __dbsafe_run docker (@('dbsafe', 'guard', '--') + $words) $input $MyInvocation.ExpectingInput $true
        }
    }

    if (Get-Command docker-compose -CommandType Application -ErrorAction SilentlyContinue) {
        function global:docker-compose {
            $words = [string[]] $args
            if ([bool] $MyInvocation.ScriptName -or (__dbsafe_straight_compose $words)) {
                __dbsafe_run docker-compose $words $input $MyInvocation.ExpectingInput $false
            }
            else {
                $words = @('dbsafe', 'guard', '--docker-compose', '--') + $words
                __dbsafe_run docker $words $input $MyInvocation.ExpectingInput $true
            }
        }
    }
}
Remove-Variable dbsafeWords, dbsafeScript
