# docker dbsafe, for @SHELL@: what can destroy goes through the guard, everything else straight to docker.
# `command docker …` goes past it. Made by: docker dbsafe shell-init @SHELL@
case $- in
*i*)
  if alias docker >/dev/null 2>&1; then
    echo 'dbsafe: the alias docker stands before the guard; see: alias docker' >&2
  fi

  function __dbsafe_straight {
    while [ $# -gt 0 ]; do
      case $1 in
      @DOCKER_VALUE@) [ $# -ge 2 ] || return 1; shift 2 ;;
      @DOCKER_JOINED@) shift ;;
      @DOCKER_SWITCH@) shift ;;
      @DOCKER_ALONE@) [ $# -eq 1 ]; return ;;
      compose) shift; __dbsafe_straight_compose "$@"; return ;;
      @COMMANDS@) return 0 ;;
@FAMILIES@
      *) return 1 ;;
      esac
    done
  }

  function __dbsafe_straight_compose {
    while [ $# -gt 0 ]; do
      case $1 in
      @COMPOSE_VALUE@) [ $# -ge 2 ] || return 1; shift 2 ;;
      @COMPOSE_JOINED@) shift ;;
      @COMPOSE_SWITCH@) shift ;;
      @COMPOSE_ALONE@) [ $# -eq 1 ]; return ;;
      @COMPOSE@) return 0 ;;
      *) return 1 ;;
      esac
    done
  }

  function docker {
    if [ "${1-}" = dbsafe ]; then
      DBSAFE_SHELL=@SHELL@ command docker "$@"
    elif __dbsafe_straight "$@"; then
      command docker "$@"
    else
      DBSAFE_SHELL=@SHELL@ command docker dbsafe guard -- "$@"
    fi
  }

  if command -v docker-compose >/dev/null 2>&1; then
    function docker-compose {
      if __dbsafe_straight_compose "$@"; then
        command docker-compose "$@"
      else
        DBSAFE_SHELL=@SHELL@ command docker dbsafe guard --docker-compose -- "$@"
      fi
    }
  fi
  ;;
esac
