-- SPDX-License-Identifier: Apache-2.0
-- Who may see and mend which identifiers are one patient's. The answers hold pseudonyms, kinds of
-- identifiers and their authorities, never identifiers; but patient.find goes from a person to a
-- pseudonym, so that it is for this site's own staff, for a stated purpose, on this machine.

local purposes = setting("linking_purposes", "list")
local looks = { "patient.show", "patient.find", "patient.conflicts" }
local changes = { "patient.resolve", "patient.merge", "patient.split", "patient.link" }

rule {
	name = "staff-only",
	subjects = { "patient.*" },
	decide = function(q)
		local role = q.principal.role
		if role ~= "operator" and role ~= "clinical-staff" then
			return deny("patients' identifiers are for this site's operators and clinical staff only")
		end
	end,
}

rule {
	name = "linking-on-this-machine",
	subjects = { "patient.*" },
	decide = function(q)
		if q.principal.via ~= "control" then
			return deny("patients' identifiers are looked at on this machine only, not through '%s'", q.principal.via)
		end
	end,
}

rule {
	name = "linking-purpose",
	subjects = { "patient.*" },
	decide = function(q)
		if not contains(purposes, q.purpose) then
			return deny("patients' identifiers may be looked at and mended for: %s", list(purposes))
		end
	end,
}

rule {
	name = "staff-looks",
	subjects = looks,
	decide = function(q)
		return permit("%s may see what is linked, for %s", q.principal.role, q.purpose)
	end,
}

rule {
	name = "operators-mend",
	subjects = changes,
	decide = function(q)
		if q.principal.role == "operator" then
			return permit("operators may mend what is linked, for %s", q.purpose)
		end
		return deny("only this site's operators change what is linked; ask one of them")
	end,
}
