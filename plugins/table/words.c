/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stddef.h>
#include <string.h>

#define PLAIN_MAX 64

/* Names are compared by their letters and digits in lower case, without accents. */
static const struct {
	const char *attribute, *words; /* separated by spaces */
} names[] = {
    {"patient",
	"patientid patient patid pid patientidentifier subjectid subject mrn patientennummer "
	"patientnummer patientennr fallnummer ippatient identifiantpatient idpatient "
	"numeropatient numerodossier nip ipp idpaciente paciente nhc historiaclinica "
	"idpaziente codicepaziente paziente patientnr medicalrecordnumber"},
    {"-",
	"name lastname firstname surname familyname givenname nachname vorname nom prenom nombre "
	"apellido apellidos cognome nome achternaam voornaam address adresse direccion indirizzo "
	"adres street strasse phone telefon telephone telefono email ssn bsn nino dni "
	"codicefiscale "
	"insurancenumber versichertennummer zip plz postcode postalcode comment comments remarks "
	"bemerkung kommentar commentaire comentario note notes opmerking"},
    {"sex",
	"sex gender birthsex birthsexeucaim geschlecht sexe genre sexo genero sesso genere "
	"geslacht"},
    {"birth_date",
	"birthdate dateofbirth dob birthday geburtsdatum gebdatum datedenaissance "
	"naissance fechanacimiento fechadenacimiento datadinascita datanascita "
	"geboortedatum"},
    {"vital_status",
	"vitalstatus alive status1alive vitalstatuseucaim vitalstatut estadovital "
	"statovitale vitalestatus lebt"},
    {"death_date",
	"deathdate dateofdeath todesdatum sterbedatum datededeces deces fechadefuncion "
	"fechadedefuncion datadimorte overlijdensdatum"},
    {"diagnosis",
	"diagnosis diagnosiscode icd icd10 icdcode icd10code primarydiagnosis diagnose "
	"diagnosecode diagnosehauptcode diagnostic codediagnostic diagnostico "
	"codigodiagnostico diagnosi codicediagnosi cancertype primarycancercondition"},
    {"diagnosis_date",
	"diagnosisdate dateofdiagnosis dxdate diagnosedatum datedudiagnostic "
	"datediagnostic fechadiagnostico fechadediagnostico datadiagnosi "
	"datadidiagnosi"},
    {"age_at_diagnosis",
	"ageatdiagnosis agediagnosis agedx age alter alterbeidiagnose "
	"ageaudiagnostic edad edadaldiagnostico eta etaalladiagnosi leeftijd "
	"leeftijdbijdiagnose"},
    {"year_of_diagnosis",
	"yearofdiagnosis diagnosisyear diagnosejahr anneediagnostic "
	"anodiagnostico annodiagnosi jaarvandiagnose"},
    {"topography",
	"topography icdo3topography topographycode site primarysite topographie "
	"topografia topografie tumorlocation lokalisation"},
    {"morphology",
	"morphology histology icdo3morphology icdo3histology morphologie histologie "
	"morfologia istologia histologia morfologie"},
    {"laterality",
	"laterality side seite seitenlokalisation lateralite lateralidad lateralita "
	"lateraliteit cote lado lato zijde"},
    {"er",
	"er erstatus estrogenreceptor oestrogenreceptor oestrogenrezeptor ostrogenrezeptor "
	"recepteuroestrogene re receptorestrogeno"},
    {"pr", "pr prstatus pgr progesteronereceptor progesteronrezeptor rp receptorprogesterona"},
    {"her2", "her2 her2status her2neu erbb2 her2score"},
    {"psa", "psa psavalue psalevel psawert tauxpsa valorpsa valorepsa prostatespecificantigen"},
    {"ki67", "ki67 ki67index mib1 ki67percent"},
    {"gleason", "gleason gleasonscore scoregleason puntuaciongleason gleasontotal"},
    {"isup", "isup isupgrade isupgroup gradegroup isupgrad"},
    {"bi_rads", "birads bi-rads biradscategory acr"},
    {"pi_rads", "pirads pi-rads piradscategory piradsscore"},
    {"ecog", "ecog ecogps performancestatus ecogstatus"},
    {"clinical_t", "ct clinicalt tclinical ctnm ctstage tstage tnmt"},
    {"clinical_n", "cn clinicaln nclinical cnstage nstage tnmn"},
    {"clinical_m", "cm clinicalm mclinical cmstage mstage tnmm"},
    {"pathological_t", "pt pathologicalt tpathological ptstage"},
    {"pathological_n", "pn pathologicaln npathological pnstage"},
    {"pathological_m", "pm pathologicalm mpathological pmstage"},
    {"stage_group",
	"stage stagegroup ajccstage uiccstage stadium stade estadio stadio cancerstage"},
    {"histologic_grade",
	"grade grading histologicgrade histologicalgrade grad gradhistologique "
	"grado"},
    {"procedure",
	"procedure procedurecode ops opscode opscode prozedur acte procedimiento "
	"procedura ingreep"},
    {"procedure_kind",
	"treatment treatmenttype therapy therapie behandlung traitement tratamiento "
	"trattamento behandeling"},
    {"procedure_date",
	"proceduredate surgerydate treatmentdate firsttreatmentdate opdatum "
	"operationsdatum dateoperation datechirurgie fechacirugia dataintervento "
	"operatiedatum therapiebeginn"},
    {"medication",
	"medication drug atc atccode medikament medicament medicamento farmaco "
	"medicatie"},
    {"gene", "gene genesymbol hugosymbol gen"},
    {"protein_change", "proteinchange hgvsp aachange aminoacidchange"},
};

static const struct {
	const char *attribute, *value, *code;
} codes[] = {{"sex", "m", "male"}, {"sex", "f", "female"}, {"sex", "w", "female"},
    {"sex", "v", "female"}, {"sex", "h", "male"}, {"sex", "male", "male"},
    {"sex", "female", "female"}, {"sex", "mannlich", "male"}, {"sex", "weiblich", "female"},
    {"sex", "homme", "male"}, {"sex", "femme", "female"}, {"sex", "hombre", "male"},
    {"sex", "mujer", "female"}, {"sex", "maschio", "male"}, {"sex", "femmina", "female"},
    {"sex", "man", "male"}, {"sex", "vrouw", "female"}, {"sex", "d", "other"},
    {"sex", "divers", "other"}, {"sex", "u", "unknown"}, {"sex", "com1000180", "male"},
    {"sex", "com1000177", "female"}, {"sex", "com1001289", "unknown"}, {"laterality", "l", "left"},
    {"laterality", "r", "right"}, {"laterality", "b", "bilateral"}, {"laterality", "links", "left"},
    {"laterality", "rechts", "right"}, {"laterality", "gauche", "left"},
    {"laterality", "droite", "right"}, {"laterality", "izquierda", "left"},
    {"laterality", "derecha", "right"}, {"laterality", "sinistra", "left"},
    {"laterality", "destra", "right"}, {"laterality", "left", "left"},
    {"laterality", "right", "right"}, {"er", "pos", "positive"}, {"er", "neg", "negative"},
    {"pr", "pos", "positive"}, {"pr", "neg", "negative"}, {"er", "positiv", "positive"},
    {"er", "negativ", "negative"}, {"pr", "positiv", "positive"}, {"pr", "negativ", "negative"},
    {"er", "com1001310", "positive"}, {"er", "com1001332", "negative"},
    {"pr", "com1001310", "positive"}, {"pr", "com1001332", "negative"},
    {"vital_status", "alive", "alive"}, {"vital_status", "dead", "deceased"},
    {"vital_status", "deceased", "deceased"}, {"vital_status", "lebend", "alive"},
    {"vital_status", "verstorben", "deceased"}, {"vital_status", "vivant", "alive"},
    {"vital_status", "decede", "deceased"}, {"vital_status", "vivo", "alive"},
    {"vital_status", "muerto", "deceased"}, {"vital_status", "morto", "deceased"}};

/* The second byte of a Latin letter with an accent (behind 0xc3), as its plain letter. */
static char
plain_latin(unsigned char byte)
{
	static const char letters[] =
	    "aaaaaaaceeeeiiiidnooooo*ouuuuypsaaaaaaaceeeeiiiidnooooo/ouuuuypy";

	return byte >= 0x80 && byte < 0xc0 ? letters[byte - 0x80] : 0;
}

static void
plain(const char *text, char ret[PLAIN_MAX])
{
	size_t used = 0;

	for (; *text != 0 && used + 1 < PLAIN_MAX; text++) {
		char c = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;

		if ((unsigned char)c == 0xc3 && text[1] != 0)
			c = plain_latin((unsigned char)*++text);
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			ret[used++] = c;
	}
	ret[used] = 0;
}

static int
has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
		if ((at == words || at[-1] == ' ') && (at[length] == 0 || at[length] == ' '))
			return 1;
	}
	return 0;
}

const char *
words_find(const char *header)
{
	char word[PLAIN_MAX];

	plain(header, word);
	if (word[0] == 0)
		return NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (has_word(names[i].words, word))
			return names[i].attribute;
	}
	return NULL;
}

const char *
words_code(const char *attribute, const char *value)
{
	char word[PLAIN_MAX];

	plain(value, word);
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		if (strcmp(codes[i].attribute, attribute) == 0 && strcmp(codes[i].value, word) == 0)
			return codes[i].code;
	}
	return NULL;
}
