# docker dbsafe, for fish: what can destroy goes through the guard, everything else straight to docker.
# `command docker …` goes past it. Made by: docker dbsafe shell-init fish
if status is-interactive
    function __dbsafe_straight
        while set -q argv[1]
            switch $argv[1]
                case @DOCKER_VALUE@
                    set -q argv[2]; or return 1
                    set -e argv[1..2]
                case @DOCKER_JOINED@ @DOCKER_SWITCH@
                    set -e argv[1]
                case @DOCKER_ALONE@
                    not set -q argv[2]
                    return
                case compose
                    __dbsafe_straight_compose $argv[2..-1]
                    return
                case @COMMANDS@
                    return 0
@FAMILIES@
                case '*'
                    return 1
            end
        end
    end

    function __dbsafe_straight_compose
        while set -q argv[1]
            switch $argv[1]
                case @COMPOSE_VALUE@
                    set -q argv[2]; or return 1
                    set -e argv[1..2]
                case @COMPOSE_JOINED@ @COMPOSE_SWITCH@
                    set -e argv[1]
                case @COMPOSE_ALONE@
                    not set -q argv[2]
                    return
                case @COMPOSE@
                    return 0
                case '*'
                    return 1
            end
        end
    end

    function docker
        if test "$argv[1]" = dbsafe
            DBSAFE_SHELL=fish command docker $argv
        else if __dbsafe_straight $argv
            command docker $argv
        else
            DBSAFE_SHELL=fish command docker dbsafe guard -- $argv
        end
    end

    if command -q docker-compose
        function docker-compose
            if __dbsafe_straight_compose $argv
                command docker-compose $argv
            else
                DBSAFE_SHELL=fish command docker dbsafe guard --docker-compose -- $argv
            end
        end
    end
end
