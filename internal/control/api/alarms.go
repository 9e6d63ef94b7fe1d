package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	rpc "towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
)

// AlarmsPath is where Alertmanager tells of alarms, as its webhook receiver does.
const AlarmsPath = "/hooks/alertmanager"

// alarms is what Alertmanager sends, of which this is what matters.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type alarms struct {
	Alerts []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
	} `json:"alerts"`
}

// The labels of an alarm that takes deployments back: which program's, and where.
const (
	alarmProgram     = "towpath_program"
	alarmEnvironment = "towpath_environment"
)

// of are the alarms that fire and name a program and its environment. Of several of one program
// it is the one that began last: if a deployment had begun before any of them, then before that one.
func (all *alarms) of() []deploy.Alarm {
	last := map[[2]string]deploy.Alarm{}
	for _, a := range all.Alerts {
		program, environment := a.Labels[alarmProgram], a.Labels[alarmEnvironment]
		if a.Status != "firing" || program == "" || environment == "" {
			continue
		}
		key := [2]string{environment, program}
		if old, ok := last[key]; !ok || a.StartsAt.After(old.Since) {
			last[key] = deploy.Alarm{
				Environment: environment, Program: program, Name: cmp.Or(a.Labels["alertname"], "without a name"),
				Text: a.Annotations["summary"], Since: a.StartsAt,
			}
		}
	}
	var out []deploy.Alarm
	for _, a := range last {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b deploy.Alarm) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Program, b.Program))
	})
	return out
}

// alarmRoute has deployments go back that are under way while an alarm fires that names
// their program and environment. All of a group is done that can be. The status is for
// Alertmanager, which sends again at once what was answered with 5xx; what was answered with
// 4xx it logs and counts as failed, and tells of it again with the group's next notification.
func (s *deployService) alarmRoute() Route {
	return Route{
		Pattern: "POST " + AlarmsPath, Procedure: rpc.DeployServiceAskDeploymentProcedure,
		Subject: func(*http.Request) (string, string) { return access.Subject("alarms"), "" },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var all alarms
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, int64(s.opts.MaxBody))).Decode(&all); err != nil {
				plain(w, http.StatusBadRequest, fmt.Sprintf("expected what Alertmanager's webhook sends: %v\n", err))
				return
			}
			worst, text := http.StatusOK, &strings.Builder{}
			for _, a := range all.of() {
				said, err := s.alarmed(r.Context(), a)
				if err != nil {
					said = err.Message()
					if status := statusOf(err); status > worst {
						worst, callOf(r.Context()).failed = status, err
					}
				}
				fmt.Fprintf(text, "%s in %s: %s\n", shorten(a.Program), shorten(a.Environment), said)
			}
			if worst != http.StatusOK {
				s.opts.Log.Warn("not all alarms could be acted upon", "by", access.Caller(r.Context()).Name, "of", text.String())
			}
			plain(w, worst, cmp.Or(text.String(), "no alarm fires that names a program and its environment\n"))
		}),
	}
}

// alarmed acts upon an alarm, and says for a person what came of it.
func (s *deployService) alarmed(ctx context.Context, a deploy.Alarm) (said string, why *connect.Error) {
	who := access.Caller(ctx)
	var denied *connect.Error
	if errors.As(access.PermitIn(who, a.Environment), &denied) {
		return "", denied
	}
	if a.Since.IsZero() {
		return "", connect.NewError(connect.CodeInvalidArgument, errors.New("the alarm does not say when it began; expected startsAt, as Alertmanager sends it"))
	}
	id, back, err := s.service.Alarmed(ctx, who.Name, a)
	switch {
	case err != nil:
		s.opts.Log.Warn("an alarm could not be acted upon", "program", a.Program, "environment", a.Environment, "error", err)
		return "", connect.NewError(connect.CodeUnavailable, errors.New("the store cannot be asked now; send it again"))
	case id == "":
		return "no deployment is under way", nil
	case !back:
		return fmt.Sprintf("%s had not begun when the alarm did, at %s, and goes on", id, a.Since.UTC().Format(time.RFC3339)), nil
	}
	return id + " goes back", nil
}
